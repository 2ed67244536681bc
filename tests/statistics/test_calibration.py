from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import brier_score_loss

from darkroom.evaluation.evaluation import calibrate
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.calibration import (
    brier,
    expected_calibration_error,
    fit_temperature,
    load_calibration,
    reliability,
    softmax,
)
from darkroom.statistics.metrics import negative_log_likelihoods
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
def test_a_temperature_never_raises_the_loss_and_names_the_same_classes(
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


@given(answers())
def test_brier_equals_that_of_scikit_learn(case: tuple[Probabilities, Labels]) -> None:
    probabilities, labels = case
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    found = brier(probabilities, labels, 0.95)
    classes = probabilities.shape[1]
    theirs = brier_score_loss(np.eye(classes)[labels], exact, scale_by_half=False) if classes > 2 else None
    theirs = 2 * brier_score_loss(labels, exact[:, 1], labels=[0, 1]) if theirs is None else theirs
    assert found.value == pytest.approx(theirs, abs=1e-6)
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 2


@settings(max_examples=40)
@given(answers())
def test_the_error_and_the_diagram_are_those_of_a_plain_count(case: tuple[Probabilities, Labels]) -> None:
    probabilities, labels = case
    bins = reliability(probabilities, labels, 0.95)
    error = 0.0
    for k in range(15):
        inside = [
            (float(row.max()), int(row.argmax()) == label)
            for row, label in zip(probabilities, labels, strict=True)
            if k == min(int(float(row.max()) * 15), 14)
        ]
        here = [each for each in bins if each.low == k / 15]
        assert len(here) == bool(inside)
        if inside:
            sure, right = (float(np.mean(column)) for column in zip(*inside, strict=True))
            assert here[0].images == len(inside) and here[0].accuracy == pytest.approx(right)
            assert here[0].confidence == pytest.approx(sure, rel=1e-6)
            assert here[0].accuracy_low <= right <= here[0].accuracy_high
            error += len(inside) / len(labels) * abs(sure - right)
    found = expected_calibration_error(probabilities, labels, 0.95)
    assert found.value == pytest.approx(error, abs=1e-6)
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize(("temperature", "images"), [(1.0, 400), (1.0, 3000), (0.6, 400), (0.6, 3000), (2.5, 1000)])
def test_the_interval_of_the_calibration_error_covers(temperature: float, images: int) -> None:
    # Below 0.92 it would claim too much; it may cover more than 95%, since its lower end is never too high.
    rng = np.random.default_rng(0)
    many, labels = SOURCE.draw(300_000, rng)
    truth = expected_calibration_error(softmax(np.log(many), temperature), labels, 0.95).value
    held = 0
    for _ in range(120):
        drawn, labels = SOURCE.draw(images, rng)
        found = expected_calibration_error(softmax(np.log(drawn), temperature), labels, 0.95)
        # Of a calibrated source what is left of the error is that of the many images above.
        held += found.low - 0.002 * (temperature == 1) <= truth <= found.high
    assert held / 120 >= 0.92


def test_the_interval_of_brier_covers() -> None:
    rng = np.random.default_rng(5)
    truth = brier(*SOURCE.draw(500_000, rng), 0.95).value
    found = [brier(*SOURCE.draw(500, rng), 0.95) for _ in range(800)]
    assert np.mean([each.low <= truth <= each.high for each in found]) == pytest.approx(0.95, abs=0.02)


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
