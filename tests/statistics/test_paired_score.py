"""The score test of pairs: its interval, the same without a search, an exact p-value, and what a test set can show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multinomial

from darkroom.statistics.paired_score import beyond, detectable_difference, images_needed, paired_interval, within


@pytest.mark.parametrize("images", [1, 222, 765])
def test_no_change_is_as_sure_as_the_images_are_many(images: int) -> None:
    z2 = 1.959964**2
    assert paired_interval(0, 0, images, 0.95) == pytest.approx((-z2 / (images + z2), z2 / (images + z2)), rel=1e-5)


def test_the_upper_end_is_where_the_score_test_is_just_significant() -> None:
    """Tango's own statistic, with the constrained estimate searched by its likelihood."""
    lost, won, images = 12, 2, 50
    _, high = paired_interval(lost, won, images, 0.95)
    gains = np.linspace(1e-6, (1 - high) / 2 - 1e-6, 200_001)
    likelihood = (
        lost * np.log(gains + high) + won * np.log(gains) + (images - lost - won) * np.log(1 - 2 * gains - high)
    )
    gain = gains[likelihood.argmax()]
    score = (lost - won - images * high) / np.sqrt(images * (2 * gain + high * (1 - high)))
    assert score == pytest.approx(-1.959964, abs=1e-4)


@given(st.integers(1, 3000), st.data(), st.floats(0.001, 0.2))
def test_within_is_the_upper_end_of_the_interval(images: int, data: st.DataObject, margin: float) -> None:
    lost = data.draw(st.integers(0, images))
    won = data.draw(st.integers(0, images - lost))
    high = paired_interval(lost, won, images, 0.95)[1]
    if abs(high - margin) > 1e-9:
        assert bool(within(lost, won, images, margin)) == (high <= margin)


def test_a_p_value_adds_up_all_outcomes_that_look_as_bad() -> None:
    lost, won, images, margin = 4, 1, 9, 0.05
    gains = np.linspace(1e-6, (1 - margin) / 2 - 1e-6, 400_001)
    likelihood = lost * np.log(gains + margin) + won * np.log(gains) + 4 * np.log(1 - 2 * gains - margin)
    gain = gains[likelihood.argmax()]
    chances = [gain, 1 - 2 * gain - margin, gain + margin]
    cases = [(a, images - a - b, b) for a in range(images + 1) for b in range(images + 1 - a)]
    expected = sum(multinomial.pmf(case, images, chances) for case in cases if case[2] - case[0] >= lost - won)
    assert beyond(lost, won, images, margin) == pytest.approx(float(expected), rel=1e-4)
    assert beyond(0, 0, 40, margin) == pytest.approx(1.0)


@given(st.integers(1, 400), st.data())
def test_the_more_is_lost_the_smaller_the_p_value(images: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, images - 1))
    assert 0 <= beyond(lost + 1, 0, images, 0.05) <= beyond(lost, 0, images, 0.05) + 1e-9 <= 1 + 1e-9


def test_a_loss_at_the_margin_is_found_beyond_it_in_one_case_of_twenty() -> None:
    draws = np.random.default_rng(0).multinomial(30, [0.1, 0.05, 0.85], size=2000)
    found = [beyond(int(lost), int(won), 30, 0.05) < 0.05 for lost, won, _ in draws]
    assert np.mean(found) < 0.06


def test_what_a_test_set_can_show() -> None:
    # 1.96 + 0.84 deviations of a difference; 5% of the images changed sides.
    assert detectable_difference(100, 2000) == pytest.approx(2.8016 * (0.05 / 2000) ** 0.5, rel=1e-4)
    assert images_needed(100, 2000, 0.01) == 3925
    # No change at all counts as one: less can't be known.
    assert detectable_difference(0, 200) == detectable_difference(1, 200) == pytest.approx(0.0140, abs=1e-4)
