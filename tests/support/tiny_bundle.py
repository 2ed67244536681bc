"""A whole bundle in some milliseconds, without training: its graph is one product of matrices, made by hand."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from darkroom.bundle.bundle import seal
from darkroom.bundle.graph import graph_metadata
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.statistics.temperature import Calibration

CLASSES = ("bright", "dark", "été")


def make_bundle(
    folder: Path,
    classes: tuple[str, ...] = CLASSES,
    seed: int = 0,
    size: int = 8,
    channels: int = 1,
    threshold: float | None = 0.6,
) -> Path:
    """Write a bundle whose predictions depend on every pixel; another seed gives another model.

    Args:
        folder: to write; must not exist.
        classes: names of its classes.
        seed: of its weights.
        size, channels: of the images that it takes.
        threshold: below which it abstains; None where it never does.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    mean, std = (0.5,) * channels, (0.25,) * channels
    preprocessing = Preprocessing(size, channels, "stretch", "turbo", mean, std)
    spec = ModelSpec("linear", {}, "none", ClassList(classes), preprocessing, 1, "float32", 0, "d" * 12, "c" * 12)
    calibration = Calibration(1.0, threshold, 0.9, 0.8, 0.95, 0.9, 0.98, 100)
    spec.save(folder / "model.json")
    ClassList(classes).save(folder / "classes.json")
    calibration.save(folder / "calibration.json")
    (folder / "reference.json").write_text(json.dumps({"made": "by hand"}) + "\n")
    (folder / "software.json").write_text(json.dumps({"made": "by hand"}) + "\n")
    graph = _graph(len(classes), seed, size, channels)
    helper.set_model_props(graph, graph_metadata(spec, calibration, "0" * 64))
    onnx.save(graph, folder / "model.onnx")
    seal(folder, "model.onnx")
    return folder


def _graph(class_count: int, seed: int, size: int, channels: int) -> onnx.ModelProto:
    values = size * size * channels
    weights = np.random.default_rng(seed).normal(0, 4 / values**0.5, (values, class_count)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "largest"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    stored = {
        "largest": np.array(255, np.float32),
        "shape": np.array([-1, values], np.int64),
        "weights": weights,
    }
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", size, size, channels])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", class_count])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
