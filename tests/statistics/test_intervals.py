import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.statistics.intervals import bootstrap_macro, mean_interval, wilson
from darkroom.statistics.metrics import averages, class_scores


@pytest.mark.parametrize(
    ("share", "images"), [(0.5, 100), (0.8, 200), (0.9, 500), (0.7, 1000), (0.99, 2000), (0.94, 10_000)]
)
def test_wilson_covers_as_often_as_it_promises(share: float, images: int) -> None:
    right = np.random.default_rng(0).binomial(images, share, 20_000)
    low, high = wilson(right, images, 0.95)
    assert ((low <= share) & (share <= high)).mean() == pytest.approx(0.95, abs=0.02)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.51, 0.999))
def test_wilson_holds_the_share_and_stays_between_0_and_1(right: int, wrong: int, confidence: float) -> None:
    low, high = wilson(right, right + wrong, confidence)
    share = right / (right + wrong) if right + wrong else 0.5
    assert 0 <= low <= share <= high <= 1


def test_wilson_equals_the_published_example() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263 and 0 of 20.
    low, high = wilson([81, 0], [263, 20], 0.95)
    np.testing.assert_allclose(low, [0.2553, 0.0], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1611], atol=5e-5)


def test_of_no_image_nothing_is_known() -> None:
    low, high = wilson(0, 0, 0.95)
    assert (float(low), float(high)) == (0, 1)


def test_bootstrap_covers_about_as_often_as_it_promises() -> None:
    truth = np.full((4, 4), 0.02)
    np.fill_diagonal(truth, [0.24, 0.2, 0.19, 0.13])
    scores = averages(class_scores((truth * 1e6).round().astype(np.int64)))
    rng = np.random.default_rng(0)
    drawn = [rng.multinomial(400, truth.ravel()).reshape(4, 4) for _ in range(300)]
    intervals = [bootstrap_macro(counts, 0.95) for counts in drawn]
    for name in ("precision", "recall", "f1"):
        held = [low <= scores[f"macro_{name}"] <= high for low, high in (interval[name] for interval in intervals)]
        assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_bootstrap_covers_with_few_images_of_many_classes() -> None:
    rng = np.random.default_rng(0)
    truth = (0.13 * rng.dirichlet(np.full(60, 0.1), 60) + 0.87 * np.eye(60)) / 60
    f1 = np.mean(2 * np.diag(truth) / (truth.sum(axis=0) + truth.sum(axis=1)))
    drawn = [rng.multinomial(300, truth.ravel()).reshape(60, 60) for _ in range(150)]
    held = [low <= f1 <= high for low, high in (bootstrap_macro(counts, 0.95)["f1"] for counts in drawn)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_bootstrap_is_the_same_every_time_and_holds_the_value() -> None:
    counts = np.array([[50, 3, 0], [4, 40, 1], [0, 0, 0]])
    assert bootstrap_macro(counts, 0.95) == bootstrap_macro(counts, 0.95)
    low, high = bootstrap_macro(counts, 0.95)["f1"]
    assert low < averages(class_scores(counts))["macro_f1"] < high


def test_a_matrix_without_mistakes_is_no_certainty() -> None:
    assert bootstrap_macro(np.diag([20, 20]), 0.95)["f1"] == pytest.approx((0.912, 1), abs=1e-3)


def test_a_matrix_of_mistakes_is_no_certainty_either() -> None:
    assert bootstrap_macro(np.array([[0, 5], [5, 0]]), 0.95)["f1"] == pytest.approx((0, 0.278), abs=1e-3)


def test_the_interval_of_a_mean_covers_as_often_as_it_promises() -> None:
    drawn = np.random.default_rng(0).exponential(1, (2000, 400))
    ends = np.array([mean_interval(values, 0.95) for values in drawn])
    assert ((ends[:, 0] <= 1) & (ends[:, 1] >= 1)).mean() == pytest.approx(0.95, abs=0.02)
