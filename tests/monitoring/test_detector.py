"""Bets on ranks, and their sums."""

import numpy as np
import pytest

from darkroom.monitoring.detector import BETS, CLASS_BETS, Detector, Sums, _factors


@pytest.mark.parametrize(("bets", "both"), [(BETS, True), (CLASS_BETS, False)])
def test_a_bet_gains_nothing_without_a_shift(bets: tuple[tuple[float, float], ...], both: bool) -> None:
    """Its expected factor is 1: over the bins of any urn, the widths times the factors."""
    ends = np.concatenate([[0.0], np.sort(np.random.default_rng(0).uniform(size=30)), [1.0]])
    low, high = ends[:-1, None], ends[1:, None]
    expected = ((high - low) * _factors(low, high, bets, both)).sum(axis=0)
    assert expected == pytest.approx(np.ones(len(bets) * (1 + both)))


def test_the_sums_by_hand() -> None:
    sums = Sums(np.zeros(2), np.ones(2), np.zeros(2, np.int64))
    for image, factors in enumerate([[2.0, 0.5], [3.0, 0.5], [np.nan, 4.0]]):
        sums.add(np.array(factors), image)
    # (0 + 1) * 2 = 2, (2 + 1) * 3 = 9; (0 + 1) / 2, 1.5 / 2 = 0.75, 1.75 * 4 = 7.
    assert sums.roberts.tolist() == [9, 7]
    assert sums.growth.tolist() == [6, 4]
    assert sums.since.tolist() == [0, 2]


def make(images: int = 1000) -> tuple[Detector, np.random.Generator]:
    rng = np.random.default_rng(0)
    return Detector(rng.normal(size=(images, 4)), rng.integers(0, 5, images), 5), rng


def test_a_clean_stream_is_quiet_and_a_shift_is_found_at_its_place() -> None:
    detector, rng = make()
    clean = detector.add(rng.normal(size=(5000, 4)), rng.integers(0, 5, 5000), np.arange(5000))
    assert clean.max() < 100_000
    shifted = rng.normal(size=(60, 4)) + np.array([0, 1.5, 0, 0])
    levels = detector.add(shifted, rng.integers(0, 5, 60), np.arange(5000, 5060))
    assert 10 < np.argmax(levels >= 1e6) < 40
    assert detector.by_score.argmax() == 1
    assert detector.by_score.sum() == pytest.approx(detector.level)
    assert abs(detector.since - 5000) <= 5


def test_another_mix_of_classes_shows_in_the_predicted_class_alone() -> None:
    detector, rng = make()
    predicted = np.where(rng.uniform(size=150) < 0.4, 3, rng.integers(0, 5, 150))
    levels = detector.add(rng.normal(size=(150, 4)), predicted, np.arange(150))
    assert levels[-1] > 1e6
    assert detector.by_score.argmax() == 4


def test_few_references_alarm_no_more_than_many() -> None:
    detector, rng = make(20)
    assert detector.add(rng.normal(size=(3000, 4)), rng.integers(0, 5, 3000), np.arange(3000)).max() < 1e5


def test_a_score_that_live_images_lack_says_nothing() -> None:
    detector, rng = make()
    values = rng.normal(size=(2000, 4))
    values[:, 3] = np.nan
    detector.add(values, rng.integers(0, 5, 2000), np.arange(2000))
    assert detector.by_score[3] == 0
