"""Tests by betting: right values by hand, and how often a wrong end comes."""

from math import log, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.statistics.betting import labels_until, log_wealth


def test_wealth_of_a_short_stream_by_hand() -> None:
    found = log_wealth(np.array([[10, 5, 2]]), np.array([[1, -1]]), 0.01, 0.01)[0]
    first = 0.8 * 0.01 / (10 / 200 + 0.0001)
    second = 0.8 * 0.01 / (11 / 211 + 0.0001)
    before = 10 * log1p(first * 0.01)
    won = before + log1p(first * 1.01)
    assert found.tolist() == pytest.approx([before, won + 5 * log1p(second * 0.01), won + 5 * log1p(second * 0.01)])


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from([-1, 0, 1])), max_size=40), st.integers(0, 50))
def test_a_worse_outcome_never_helps_and_evidence_never_falls(stream: list[tuple[int, int]], last: int) -> None:
    agreed = np.array([[gap for gap, _ in stream] + [last]])
    outcomes = np.array([[outcome for _, outcome in stream]], np.int64).reshape(1, -1)
    found = log_wealth(agreed, outcomes, 0.01, 0.01)
    assert (np.diff(found) >= 0).all() and (found >= 0).all()


def streams(rate: float, difference: float, count: int = 300, images: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Of `count` streams the agreeing images before each label, and the outcomes."""
    generator = np.random.default_rng(0)
    draws = generator.choice(
        [-1, 1, 0], p=[(rate - difference) / 2, (rate + difference) / 2, 1 - rate], size=(count, images)
    )
    labels = int((draws != 0).sum(axis=1).min())
    places = np.array([np.flatnonzero(row)[:labels] for row in draws])
    agreed = np.diff(places, axis=1, prepend=-1) - 1
    return np.hstack([agreed, np.zeros((count, 1), np.int64)]), np.take_along_axis(draws, places, axis=1)


def test_a_model_that_is_a_point_worse_ends_in_few_streams_and_an_equal_one_in_most() -> None:
    worse = labels_until(log_wealth(*streams(0.03, -0.01), 0.01, 0.01), 0.025)
    equal = labels_until(log_wealth(*streams(0.03, 0.0), 0.01, 0.01), 0.025)
    assert (worse >= 0).mean() <= 0.04
    assert (equal >= 0).mean() >= 0.95 and np.median(equal[equal >= 0]) < 100


def test_labels_until_counts_labels() -> None:
    highest = np.array([[0.0, 1.0, log(40) + 1e-9], [0.0, 0.5, 1.0], [4.0, 4.0, 4.0]])
    assert labels_until(highest, 0.025).tolist() == [2, -1, 0]
