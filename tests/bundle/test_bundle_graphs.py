"""A graph of the bundle has complete metadata, and predicts as before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkroom.bundle.graph import finalize_graph
from darkroom.inference.session import open_session, probabilities
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, load_spec
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import Calibration, load_calibration
from tests.support.packed import read_images


@pytest.fixture
def model(shipped: Path) -> tuple[ModelSpec, Calibration]:
    return load_spec(shipped / "models/train/model.json"), load_calibration(
        shipped / "models/evaluate/calibration.json"
    )


def finalize(shipped: Path, spec: ModelSpec, calibration: Calibration, target: Path) -> Path:
    weights = shipped / "models/train/weights.safetensors"
    finalize_graph(shipped / "models/quantize/model.onnx", target, spec, calibration, weights)
    return target


def test_it_predicts_as_before_and_twice_gives_the_same_bytes(
    shipped: Path, model: tuple[ModelSpec, Calibration], tmp_path: Path
) -> None:
    first, second = (finalize(shipped, *model, tmp_path / name) for name in ("a.onnx", "b.onnx"))
    assert first.read_bytes() == second.read_bytes()
    images = read_images(shipped / "data/preprocess/test")
    before, after = (
        probabilities(open_session(path), images) for path in (shipped / "models/quantize/model.onnx", first)
    )
    np.testing.assert_array_equal(before, after)


def test_a_graph_of_another_model_is_refused(
    shipped: Path, model: tuple[ModelSpec, Calibration], tmp_path: Path
) -> None:
    spec, calibration = model
    target = tmp_path / "model.onnx"
    with pytest.raises(DarkroomError, match="another class list"):
        finalize(shipped, replace(spec, classes=ClassList(spec.classes.names[::-1])), calibration, target)
    with pytest.raises(DarkroomError, match=r'exported with the preprocessing .*"resize": "crop"'):
        stretched = replace(spec.preprocessing, resize="stretch")
        finalize(shipped, replace(spec, preprocessing=stretched), calibration, target)
    with pytest.raises(DarkroomError, match="exported with the temperature"):
        finalize(shipped, spec, replace(calibration, temperature=9.5), target)
    assert not target.exists()


def test_that_it_never_abstains_is_in_the_metadata(
    shipped: Path, model: tuple[ModelSpec, Calibration], tmp_path: Path
) -> None:
    spec, calibration = model
    path = finalize(shipped, spec, replace(calibration, threshold=None), tmp_path / "model.onnx")
    assert open_session(path).get_modelmeta().custom_metadata_map["threshold"] == "null"
