"""Static and dynamic INT8: what is in 8 bits, and which ranges it has."""

import json
from pathlib import Path

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.compression.int8 import calibration_rows, quantize_dynamically, quantize_graph
from darkroom.images.pack import load_packed
from darkroom.inference.session import open_session, probabilities
from tests.support.matrix_graph import some_images, write_products

KEYS = hnp.arrays(np.uint64, st.integers(0, 60), unique=True)


@given(keys=KEYS, count=st.integers(1, 80))
def test_the_draw_is_of_the_size_asked_for_and_in_order(keys: np.ndarray, count: int) -> None:
    rows = calibration_rows(keys, count)
    assert len(rows) == min(count, len(keys))
    assert np.all(np.diff(rows) > 0)
    assert rows.tolist() == calibration_rows(keys, count).tolist()


@given(keys=KEYS, count=st.integers(1, 20), kept=st.integers(0, 60))
def test_growth_only_ever_replaces(keys: np.ndarray, count: int, kept: int) -> None:
    """An old image that is drawn from the grown set was drawn before it grew."""
    before = set(keys[:kept][calibration_rows(keys[:kept], count)].tolist())
    after = set(keys[calibration_rows(keys, count)].tolist())
    assert after & set(keys[:kept].tolist()) <= before


def test_products_are_in_8_bits_for_each_channel_and_the_last_one_is_not(shipped: Path) -> None:
    model = onnx.load(shipped / "models/quantize/model.int8.onnx")
    onnx.checker.check_model(model, full_check=True)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    scaled = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    products = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    for node in products[:-1]:
        values, scales, *_ = scaled[node.input[1]].input
        assert weights[values].data_type == onnx.TensorProto.INT8
        assert list(weights[scales].dims) == [weights[values].dims[0]]
    assert not set(products[-1].input) & set(scaled)


def test_it_repeats_and_answers_nearly_as_float_does(shipped: Path, tmp_path: Path) -> None:
    train = load_packed(shipped / "data/preprocess/train")
    rows = calibration_rows(train.keys(), 48)
    graph = shipped / "models/quantize/model.onnx"
    made = json.loads((shipped / "models/quantize/verdict.json").read_text())["candidates"]["int8"]["made"]
    quantize_graph(graph, train.images[rows], tmp_path / "again.onnx", made.split()[-1])
    assert (tmp_path / "again.onnx").read_bytes() == (shipped / "models/quantize/model.int8.onnx").read_bytes()
    sessions = open_session(graph), open_session(tmp_path / "again.onnx")
    before, after = (probabilities(session, train.images) for session in sessions)
    assert np.abs(before - after).max() > 0
    assert np.mean(before.argmax(1) == after.argmax(1)) > 0.95
    assert sessions[0].get_modelmeta().custom_metadata_map == sessions[1].get_modelmeta().custom_metadata_map


def test_nothing_of_the_machine_is_inside(shipped: Path) -> None:
    data = (shipped / "models/quantize/model.int8.onnx").read_bytes()
    for word in ("/tmp", "/home", "/root", "onnx.infer", ".onnx"):
        assert word.encode() not in data


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
