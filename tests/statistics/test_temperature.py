from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.evaluation.evaluation import calibrate
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.metrics import negative_log_likelihoods
from darkroom.statistics.temperature import fit_temperature, load_calibration, softmax
from tests.support.predictions import Labels, Probabilities, Source, answers

SOURCE = Source((0.4, 0.3, 0.2, 0.1), 1.5)


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_the_temperature_is_found(true: float) -> None:
    probabilities, labels = SOURCE.draw(20_000, np.random.default_rng(0))
    logits = (np.log(probabilities) * true).astype(np.float32)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(true, rel=0.05)
    losses = [negative_log_likelihoods(softmax(logits, t), labels).mean() for t in (found, found * 0.99, found * 1.01)]
    assert losses[0] < min(losses[1:])


@given(answers(), st.floats(0.02, 50))
def test_a_temperature_never_raises_the_loss_and_predicts_the_same_classes(
    case: tuple[Probabilities, Labels], scale: float
) -> None:
    probabilities, labels = case
    logits = (np.log(probabilities) * scale).astype(np.float32)
    temperature = fit_temperature(logits, labels)
    assert 0.05 <= temperature <= 20
    before, after = (negative_log_likelihoods(softmax(logits, t), labels).mean() for t in (1.0, temperature))
    assert after <= before + 1e-6
    assert temperature == fit_temperature(logits, labels)


def test_without_a_mistake_the_temperature_stays() -> None:
    assert fit_temperature(np.array([[3, 0], [0, 2]], np.float32), np.array([0, 1])) == 1.0


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    probabilities, labels = SOURCE.draw(3000, np.random.default_rng(0))
    calibration = calibrate(np.log(probabilities) * np.float32(2), labels, 0.9, 0.95)
    assert calibration.temperature == pytest.approx(2, rel=0.1)
    assert calibration.threshold is not None and 0.5 < calibration.threshold < 1
    assert calibration.precision_low < calibration.precision < calibration.precision_high
    assert 0 < calibration.coverage < 1 and calibration.images == 3000
    calibration.save(tmp_path / "calibration.json")
    assert load_calibration(tmp_path / "calibration.json") == calibration


def test_a_precision_out_of_reach_is_said_and_all_images_are_answered() -> None:
    probabilities, labels = SOURCE.draw(60, np.random.default_rng(0))
    calibration = calibrate(np.log(probabilities), labels, 0.999, 0.95)
    right = float((probabilities.argmax(axis=1) == labels).mean())
    assert calibration.threshold is None and calibration.coverage == 1
    assert calibration.precision == pytest.approx(right, abs=1e-6)


def test_a_calibration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"calibration\.json is not there yet"):
        load_calibration(tmp_path / "calibration.json")


@settings(max_examples=40)
@given(
    hnp.arrays(np.float32, (5, 4), elements=st.floats(-200, 200, width=32)),
    st.floats(0.05, 20),
)
def test_the_softmax_is_a_distribution_and_a_temperature_keeps_its_order(logits: Float32s, temperature: float) -> None:
    found = softmax(logits, temperature)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found, torch.from_numpy(logits).double().div(temperature).softmax(dim=1), atol=1e-7)
    rows = np.arange(len(logits))
    assert (found[rows, logits.argmax(axis=1)] == found.max(axis=1)).all()
