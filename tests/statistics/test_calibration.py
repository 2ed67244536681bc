import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import brier_score_loss

from darkroom.statistics.calibration import brier, expected_calibration_error, reliability, temperature_interval
from darkroom.statistics.temperature import fit_temperature, softmax
from tests.support.predictions import Labels, Probabilities, Source, answers

SOURCE = Source((0.4, 0.3, 0.2, 0.1), 1.5)


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


def test_the_interval_of_a_temperature_holds_the_true_one_as_often_as_it_says_and_narrows_with_images() -> None:
    rng, held, widths = np.random.default_rng(0), {15: 0, 400: 0}, {15: [], 400: []}  # type: ignore[var-annotated]
    for images in held:
        for _ in range(60):
            logits = rng.normal(0, 3, (images, 4)).astype(np.float32)
            # Labels drawn from the probabilities at a temperature of 2.
            noise = rng.gumbel(size=logits.shape)
            labels = (logits / 2 + noise).argmax(axis=1)
            temperature = fit_temperature(logits, labels)
            low, high = temperature_interval(logits, labels, temperature, 0.95)
            assert low <= temperature <= high
            held[images] += low <= 2 <= high
            widths[images].append(high / low)
    assert held[15] >= 53 and held[400] >= 53
    assert np.median(widths[15]) > 2 > np.median(widths[400])
