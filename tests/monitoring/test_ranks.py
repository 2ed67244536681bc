"""Ranks in a bounded state: Pólya's urn over the gaps of the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.monitoring.ranks import ClassRanks, Ranks, draw_intervals


def keys(count: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.uint64)


def test_a_value_has_the_interval_of_its_gap_and_the_next_one_finds_it_wider() -> None:
    ranks = Ranks(np.array([[1.0], [2.0], [3.0]]))
    assert ranks.counts.tolist() == [[1, 1, 1, 1]]
    bins = ranks.bins(np.array([[2.5], [2.7], [0.0], [9.0]]), keys(4))
    assert bins.ravel().tolist() == [2, 2, 0, 3]
    low, high = draw_intervals(ranks.counts, bins)
    # Of 4 gaps the third; then of 5 shares it has two; of 6 the first has one; of 7 the last has one.
    assert low.ravel() == pytest.approx([2 / 4, 2 / 5, 0, 6 / 7])
    assert high.ravel() == pytest.approx([3 / 4, 4 / 5, 1 / 6, 1])
    assert ranks.counts.tolist() == [[2, 1, 3, 2]]


def test_pieces_of_a_stream_give_the_intervals_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    reference, live = rng.normal(size=(300, 3)), rng.normal(size=(100, 3))
    whole, cut = Ranks(reference), Ranks(reference)
    bins = whole.bins(live, keys(100))
    expected = np.stack(draw_intervals(whole.counts, bins))
    found = [np.stack(draw_intervals(cut.counts, bins[part])) for part in (slice(0, 7), slice(7, 100))]
    np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_many_values_share_some_fifty_bins_and_the_ends_are_fine() -> None:
    ranks = Ranks(np.random.default_rng(0).normal(size=(4096, 2)))
    assert ranks.counts.shape[1] < 64
    assert ranks.counts.sum(axis=1).tolist() == [4097, 4097]
    assert ranks.counts[0, [0, -1]].tolist() == [1, 1]


def test_equal_values_are_spread_over_all_bins() -> None:
    ranks = Ranks(np.full((400, 1), 28.0))
    bins = ranks.bins(np.full((4000, 1), 28.0), keys(4000))
    expected = ranks.counts[0] / ranks.counts[0].sum()
    np.testing.assert_allclose(np.bincount(bins.ravel(), minlength=len(expected)) / 4000, expected, atol=0.03)


def test_what_is_missing_is_left_out() -> None:
    ranks = Ranks(np.array([[1.0, np.nan], [2.0, 1.0]]))
    assert ranks.used.tolist() == [True, False]
    low, high = draw_intervals(ranks.counts, ranks.bins(np.array([[np.nan, 1.0]]), keys(1)))
    assert np.isnan(low).all() and np.isnan(high).all()
    assert ranks.counts[0].sum() == 3


@given(st.integers(0, 2**32 - 1), st.integers(2, 200))
def test_ranks_are_uniform_whatever_the_distribution(seed: int, images: int) -> None:
    """The probability of a bin, given the past, is the width of its interval: over all bins they fill [0, 1]."""
    rng = np.random.default_rng(seed)
    ranks = Ranks(np.exp(rng.normal(size=(images, 1))))
    before = ranks.counts.copy()
    width = [np.subtract(*draw_intervals(before.copy(), np.array([[each]]))[::-1])[0, 0] for each in range(before.size)]
    assert width == pytest.approx(before[0] / before.sum())


def test_a_class_has_its_own_bin() -> None:
    ranks = ClassRanks(np.array([0] * 90 + [2] * 10), 4)
    assert ranks.watched.tolist() == [0, 2]
    assert ranks.counts.tolist() == [[11, 90], [91, 10]]
    bins = ranks.bins(np.full(2000, 2), keys(2000))
    assert not bins[:, 0].any()
    # One in 11 falls into the gap below the least of the reference's ten.
    assert bins[:, 1].mean() == pytest.approx(10 / 11, abs=0.02)


def test_of_very_many_classes_the_most_frequent_are_watched() -> None:
    predicted = np.repeat(np.arange(1000), np.arange(1000) % 7 + 1)
    assert len(ClassRanks(predicted, 1000).watched) == 96
