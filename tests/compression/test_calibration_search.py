"""Calibrators and sensitive layers: chosen by what they do to the answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from darkroom.compression.calibration_search import (
    CalibrationResult,
    best,
    evaluate_form,
    sensitive_layers,
    try_calibrators,
)
from darkroom.compression.int8 import Int8
from darkroom.compression.ranges import CALIBRATORS
from darkroom.inference.session import open_session, probabilities
from darkroom.runtime.arrays import Float32s
from tests.support.matrix_graph import some_images, write_products

LAYERS = 6


def prepare(folder: Path, outlier: int | None) -> tuple[Int8, Float32s]:
    """A graph, and its float answers on `some_images(64, seed=1)`."""
    write_products(folder / "model.onnx", LAYERS, outlier)
    answers = probabilities(open_session(folder / "model.onnx"), some_images(64, seed=1))
    return Int8(folder / "model.onnx", some_images(64), folder), answers


def scales(path: Path) -> dict[str, float]:
    """The scale of each value between layers."""
    graph = onnx.load(path).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    quantized = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    return {node.input[0]: float(stored[node.input[1]]) for node in quantized}


def test_every_calibrator_has_ranges_of_its_own_and_none_is_wider_than_what_was_seen(tmp_path: Path) -> None:
    int8, answers = prepare(tmp_path, None)
    tried = try_calibrators(int8, some_images(64, seed=1), answers, tmp_path, enough=0.0)
    assert list(tried) == list(CALIBRATORS)
    found = {name: scales(tmp_path / f"{name}.onnx") for name in CALIBRATORS}
    widest = found["minmax"]
    for name in ("percentile", "entropy"):
        assert found[name].keys() == widest.keys()
        assert all(found[name][value] <= widest[value] * (1 + 1e-6) for value in widest)
    assert found["entropy"] != widest
    for name, trial in tried.items():
        assert trial == evaluate_form(tmp_path / f"{name}.onnx", some_images(64, seed=1), answers)
        assert 0 < trial.moved < 1
        assert trial.images == 64


def test_no_other_is_tried_where_minmax_moves_little_enough(tmp_path: Path) -> None:
    int8, answers = prepare(tmp_path, None)
    tried = try_calibrators(int8, some_images(64, seed=1), answers, tmp_path, enough=1.0)
    assert list(tried) == ["minmax"] and best(tried) == "minmax"


def test_the_one_that_moves_the_answers_least_is_taken() -> None:
    tried = {
        "minmax": CalibrationResult(0.02, 1.0, 9),
        "percentile": CalibrationResult(0.01, 0.9, 9),
        "entropy": CalibrationResult(0.3, 0.5, 9),
    }
    assert best(tried) == "percentile"
    assert best({name: CalibrationResult(0.01, 1.0, 9) for name in CALIBRATORS}) == "minmax"
    assert best(tried | {"minmax": CalibrationResult(0.0109, 1.0, 9)}) == "minmax", "by a hair is no reason"


def test_an_answer_moved_is_the_total_variation_distance(tmp_path: Path) -> None:
    write_products(tmp_path / "model.onnx", 1)
    images = some_images(8)
    answers = probabilities(open_session(tmp_path / "model.onnx"), images)
    same = evaluate_form(tmp_path / "model.onnx", images, answers)
    assert (same.moved, same.agreement) == (0, 1)
    other = evaluate_form(tmp_path / "model.onnx", images, np.roll(answers, 1, axis=1))
    assert other.moved == pytest.approx(np.abs(answers - np.roll(answers, 1, axis=1)).sum(axis=1).mean() / 2, abs=1e-6)


@pytest.mark.parametrize("outlier", [1, 3])
def test_the_layers_with_the_outlier_stay_in_float_and_the_answers_come_back(outlier: int, tmp_path: Path) -> None:
    int8, answers = prepare(tmp_path, outlier)
    images = some_images(64, seed=1)
    int8.write(tmp_path / "whole.onnx", "minmax")
    whole = evaluate_form(tmp_path / "whole.onnx", images, answers)
    found = sensitive_layers(int8, "minmax", whole.moved, images, answers, tmp_path / "trial.onnx")
    assert found is not None
    # The layer that takes the outlier.
    assert f"layer{outlier + 1}" in found
    int8.write(tmp_path / "mixed.onnx", "minmax", found)
    assert (tmp_path / "trial.onnx").read_bytes() == (tmp_path / "mixed.onnx").read_bytes()
    mixed = evaluate_form(tmp_path / "mixed.onnx", images, answers)
    assert mixed.moved <= whole.moved / 2
    graph = onnx.load(tmp_path / "mixed.onnx").graph
    stored = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    in_float = {node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in stored}
    assert in_float == {*found, f"layer{LAYERS}"}
