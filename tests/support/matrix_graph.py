"""A small ONNX graph made by hand, with the input and output of ours: products of matrices with ReLU between them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from darkroom.runtime.arrays import UInt8s

SIDE, WIDTH, CLASSES = 4, 16, 3


def some_images(count: int, seed: int = 0) -> UInt8s:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


def write_products(path: Path, hidden: int, outlier: int | None = None, stacked: bool = False) -> list[str]:
    """Write a graph with so many hidden products and a last one; return the names of the hidden ones.

    With `outlier`, the output of that product has one value a thousand times as large as the others; the next product
    makes it small again, so that the answers are the same in float, and in 8 bits little of the other values is left.
    `stacked` makes the first weights a stack of one matrix, as in capsules.
    """
    generator = np.random.default_rng(0)
    sizes = [SIDE * SIDE, *[WIDTH] * hidden, CLASSES]
    weights = [generator.normal(0, (2 / a) ** 0.5, (a, b)).astype(np.float32) for a, b in pairwise(sizes)]
    weights[-1] *= 5
    if outlier is not None:
        weights[outlier][:, 0] = np.abs(weights[outlier][:, 0]) * 1000
        weights[outlier + 1][0] /= 1000
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "shape"], ["flat"]),
        helper.make_node("Div", ["flat", "largest"], ["value0"]),
    ]
    for number in range(len(weights)):
        last = number == len(weights) - 1
        nodes.append(
            helper.make_node(
                "MatMul", [f"value{number}", f"weight{number}"], [f"product{number}"], name=f"layer{number}"
            )
        )
        if not last:
            nodes.append(helper.make_node("Relu", [f"product{number}"], [f"value{number + 1}"]))
    nodes.append(helper.make_node("Reshape", [f"product{len(weights) - 1}", "answer"], ["logits"]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    stored: dict[str, npt.NDArray[Any]] = {
        "shape": np.array([1, -1, SIDE * SIDE], dtype=np.int64),
        "answer": np.array([-1, CLASSES], dtype=np.int64),
        "largest": np.array(255, dtype=np.float32),
    }
    stored |= {f"weight{number}": array for number, array in enumerate(weights)}
    if stacked:
        stored["weight0"] = stored["weight0"][np.newaxis]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"class_hash": "abc"})
    onnx.save(model, path)
    return [f"layer{number}" for number in range(hidden)]
