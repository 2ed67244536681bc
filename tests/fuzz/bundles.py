"""Bundles that were changed and sealed again: opened, and where they open, used."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from darkroom.bundle.bundle import Bundle, load_bundle, seal
from tests.fuzz.mutations import ODD_VALUES, mutate_bytes, mutate_json
from tests.fuzz.outcome import Outcome, hashes

JSON_FILES = ("calibration.json", "classes.json", "model.json", "bundle.json")


def fuzz_bundles(count: int, seed: int, folder: Path, bundle: Path) -> Outcome:
    """Open so many changed copies of a bundle, and predict with those that open.

    Args:
        count, seed, folder: as in `tests.fuzz.images.fuzz_images`.
        bundle: an unchanged one.
    """
    found = Outcome()
    target = folder / "bundle"
    for number in range(count):
        random = Random(f"{seed} {number}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(bundle, target)
        what = _change(target, random, number)
        before, opened = hashes(target), list[Bundle]()
        name = f"bundle {number} ({what})"
        if found.attempt(name, lambda: opened.append(load_bundle(target))):  # noqa: B023
            found.attempt(name, lambda: _use(opened[0], random))  # noqa: B023
        found.require(name, hashes(target) == before, "it was changed")
    return found


def _use(bundle: Bundle, random: Random) -> None:
    shape = bundle.preprocessing
    images = np.frombuffer(random.randbytes(3 * shape.size**2 * shape.channels), np.uint8)
    probabilities = bundle.predict(images.reshape(3, shape.size, shape.size, shape.channels))
    if probabilities.shape != (3, len(bundle.classes)) or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise AssertionError(f"{probabilities} are no probabilities")
    if not 0 < bundle.calibration.temperature < 100:
        raise AssertionError(f"a temperature of {bundle.calibration.temperature}")


def _change(bundle: Path, random: Random, number: int) -> str:
    """Change one file of a bundle, and make its hashes again."""
    kind = number % 3
    name = random.choice(JSON_FILES) if kind == 0 else "model.onnx"
    path = bundle / name
    if kind == 0 and random.random() < 0.8:
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(mutate_json(content, random)), encoding="utf-8")
    elif kind == 2:
        path.write_bytes(_changed_graph(onnx.load(path), random))
    else:
        path.write_bytes(mutate_bytes(path.read_bytes(), random))
    if name != "bundle.json":
        seal(bundle, "model.onnx")
    return name


def _changed_graph(model: onnx.ModelProto, random: Random) -> bytes:
    """One to three nodes, weights, names, shapes or entries of the metadata changed; still a file of ONNX."""
    graph = model.graph
    for _ in range(random.choice((1, 1, 2, 3))):
        kind = random.randrange(8)
        node: Any = random.choice(graph.node) if graph.node else None
        weights: Any = random.choice(graph.initializer) if graph.initializer else None
        if kind == 0 and node:
            graph.node.remove(node)
        elif kind == 1 and node:
            node.op_type = random.choice(("Relu", "Softmax", "Loop", "Identity", "Gather", "NoSuchOperator"))
        elif kind == 2 and weights:
            weights.dims[:] = [random.choice((0, 1, 3, 2**40, -1)) for _ in range(random.randrange(4))]
        elif kind == 3 and weights and weights.data_type == onnx.TensorProto.FLOAT:
            values = np.full(tuple(weights.dims), random.choice((np.nan, np.inf, 0, 1e38)), np.float32)
            weights.CopyFrom(numpy_helper.from_array(values, weights.name))
        elif kind == 4:
            shaped = random.choice([*graph.input, *graph.output]).type.tensor_type
            shaped.elem_type = random.choice((1, 2, 7, 8, 10))
        elif kind == 5:
            sizes = random.choice([*graph.input, *graph.output]).type.tensor_type.shape.dim
            if sizes:
                random.choice(sizes).dim_value = random.choice((0, 1, 2, 9, 2**40))
        elif kind == 6 and model.metadata_props:
            entry = random.choice(model.metadata_props)
            entry.value = random.choice((json.dumps(random.choice(ODD_VALUES[:12])), "", "[", "\x1b[2J"))
        elif node and node.input:
            node.input[random.randrange(len(node.input))] = random.choice(("", "nowhere", "images", "probabilities"))
    return bytes(model.SerializeToString())
