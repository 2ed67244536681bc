import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.evaluation.coverage import at_threshold, risk_coverage, threshold_for_precision
from darkroom.runtime.arrays import Bools, Float32s


@st.composite
def judged(draw: st.DrawFn) -> tuple[Float32s, Bools]:
    """Confidences, of which some are equal, and whether the answers were correct."""
    images = draw(st.integers(1, 60))
    confidence = draw(hnp.arrays(np.float32, images, elements=st.sampled_from([0.3, 0.5, 0.55, 0.7, 0.9, 0.99])))
    return confidence, draw(hnp.arrays(np.bool_, images))


@given(judged(), st.randoms(use_true_random=False))
def test_the_risk_does_not_depend_on_the_order_and_ends_at_the_error(case: tuple[Float32s, Bools], shuffle) -> None:  # type: ignore[no-untyped-def]
    confidence, correct = case
    found = risk_coverage(confidence, correct)
    order = list(range(len(correct)))
    shuffle.shuffle(order)
    assert risk_coverage(confidence[order], correct[order]) == found
    assert found.coverage[-1] == 1
    assert found.risk[-1] == pytest.approx(1 - correct.mean())
    # At a coverage that answers whole steps of confidence, the risk is a plain count.
    for level in np.unique(confidence):
        given = confidence >= level
        at = found.coverage.index(given.sum() / len(correct))
        assert found.risk[at] == pytest.approx(1 - correct[given].mean())


def test_the_area_is_the_mean_risk() -> None:
    found = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True]))
    assert found.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 4))
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    many = risk_coverage(np.linspace(1, 0, 5000), np.arange(5000) % 10 != 9)
    assert len(many.risk) <= 200 and many.coverage[-1] == 1


def draw(images: int, rng: np.random.Generator) -> tuple[Float32s, Bools]:
    """A calibrated model that is correct in 90% of the images."""
    confidence = rng.beta(9, 1, images).astype(np.float32)
    return confidence, rng.random(images) < confidence


# Above the threshold t a calibrated model is correct as often as its mean confidence says.
def true_precision(threshold: float) -> float:
    high = np.linspace(threshold, 1, 20_001)
    density = high**8
    return float((high * density).sum() / density.sum())


@pytest.mark.parametrize(("images", "target"), [(1000, 0.93), (1000, 0.95), (5000, 0.97), (300, 0.9)])
def test_the_promise_of_a_threshold_is_kept_as_often_as_stated(images: int, target: float) -> None:
    rng = np.random.default_rng(0)
    found = [threshold_for_precision(*draw(images, rng), target, 0.95) for _ in range(200)]
    broken = np.mean([threshold is not None and true_precision(threshold) < target for threshold in found])
    # 5% is the promise; 200 draws are good to three points.
    assert broken <= 0.08
    assert np.mean([threshold is not None for threshold in found]) > 0.7


def test_more_images_reach_a_smaller_threshold_close_to_the_least() -> None:
    rng = np.random.default_rng(0)
    few, many = (
        [threshold_for_precision(*draw(images, rng), 0.95, 0.95) for _ in range(20)] for images in (1000, 20_000)
    )
    least = next(t for t in np.linspace(0, 1, 1001) if true_precision(t) >= 0.95)
    assert all(threshold is not None for threshold in many)
    medians = [float(np.median([threshold or 1 for threshold in each])) for each in (few, many)]
    assert medians[0] > medians[1]
    assert medians[1] == pytest.approx(least, abs=0.02)


def test_a_promise_that_few_images_cannot_prove_is_not_made() -> None:
    # 148 correct answers in a row do not prove 98% at 95%; and here five places are looked at.
    assert threshold_for_precision(np.linspace(0.5, 1, 148), np.ones(148, bool), 0.98, 0.95) is None
    assert threshold_for_precision(np.linspace(0.5, 1, 300), np.ones(300, bool), 0.98, 0.95) == 0.5


def test_the_threshold_answers_the_images_that_it_was_tested_on() -> None:
    confidence, correct = draw(3000, np.random.default_rng(3))
    threshold = threshold_for_precision(confidence, correct, 0.95, 0.95)
    assert threshold is not None
    reached = at_threshold(confidence, correct, threshold, 0.95)
    given = confidence >= threshold
    assert (reached.answered, reached.correct) == (given.sum(), correct[given].sum())
    assert reached.coverage_low < reached.coverage == given.mean() < reached.coverage_high
    assert reached.precision_low + 0.01 > 0.95 and reached.precision_low < reached.precision < reached.precision_high


def test_without_a_threshold_all_are_answered_and_above_all_confidences_none() -> None:
    confidence, correct = np.array([0.5, 0.9]), np.array([False, True])
    assert at_threshold(confidence, correct, None, 0.95).answered == 2
    nothing = at_threshold(confidence, correct, 0.95, 0.95)
    assert (nothing.answered, nothing.precision, nothing.precision_low, nothing.precision_high) == (0, 0, 0, 1)
