"""Dynamic INT8: for products with a matrix of weights, and for nothing else."""

from pathlib import Path

import numpy as np
import onnx

from darkroom.compression.dynamic import quantize_dynamically
from darkroom.inference.session import open_session, probabilities
from tests.support.matrix_graph import some_images, write_products


def test_all_products_but_the_last_are_in_8_bits_and_the_answers_stay_near(tmp_path: Path) -> None:
    graph, target = tmp_path / "model.onnx", tmp_path / "dynamic.onnx"
    write_products(graph, 3)
    assert quantize_dynamically(graph, target)
    kinds = [node.op_type for node in onnx.load(target).graph.node]
    assert (kinds.count("MatMulInteger"), kinds.count("MatMul")) == (3, 1)
    before, after = open_session(graph), open_session(target)
    images = some_images(64)
    moved = np.abs(probabilities(before, images) - probabilities(after, images)).max()
    assert 0 < moved < 0.1
    assert (
        after.get_modelmeta().custom_metadata_map == before.get_modelmeta().custom_metadata_map == {"class_hash": "abc"}
    )
    quantize_dynamically(graph, tmp_path / "again.onnx")
    assert target.read_bytes() == (tmp_path / "again.onnx").read_bytes()


def test_stacks_of_matrices_stay_in_float_since_the_runtime_refuses_them(tmp_path: Path) -> None:
    write_products(tmp_path / "model.onnx", 3, stacked=True)
    assert quantize_dynamically(tmp_path / "model.onnx", tmp_path / "dynamic.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "dynamic.onnx").graph.node]
    assert (kinds.count("MatMulInteger"), kinds.count("MatMul")) == (2, 2)
    assert probabilities(open_session(tmp_path / "dynamic.onnx"), some_images(4)).shape == (4, 3)


def test_a_network_of_convolutions_has_none(shipped: Path, tmp_path: Path) -> None:
    assert not quantize_dynamically(shipped / "models/quantize/model.onnx", tmp_path / "dynamic.onnx")
    assert not list(tmp_path.iterdir())
