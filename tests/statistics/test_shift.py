"""Shifts: the statistics are what their definitions and SciPy say, and nothing moves from a set to itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from darkroom.statistics.shift import Shift, class_distance, kolmogorov_smirnov

VALUES = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(VALUES, VALUES)
def test_the_distance_of_values_is_the_largest_of_their_distributions(before: list[int], after: list[int]) -> None:
    old, new = np.array(before, dtype=np.float64), np.array(after, dtype=np.float64)
    found = kolmogorov_smirnov(old, new)
    apart = (abs((old <= value).mean() - (new <= value).mean()) for value in range(10))
    assert found.distance == pytest.approx(max(apart))
    assert kolmogorov_smirnov(old, old) == Shift(0.0, 1.0)


def test_the_probability_of_values_is_exact_for_few_and_close_to_smirnovs_limit_for_many() -> None:
    # All three of one side below all three of the other: 2 of the 20 orders of six values are as far apart.
    few = kolmogorov_smirnov(np.arange(3.0), np.arange(3.0, 6.0))
    assert few.distance == 1.0 and few.probability == pytest.approx(0.1)
    draw = np.random.default_rng(0)
    old, new = draw.normal(size=20_000), draw.normal(0.01, size=15_000)
    found = kolmogorov_smirnov(old, new)
    limit = special.kolmogorov(found.distance * (20_000 * 15_000 / 35_000) ** 0.5)
    assert found.probability == pytest.approx(limit, rel=0.02)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_the_distance_of_classes_is_pearsons(counts: list[tuple[int, int]]) -> None:
    before, after = np.array(counts).T
    found = class_distance(before, after)
    present = np.array([pair for pair in counts if any(pair)]).T
    if not before.sum() or not after.sum() or present.shape[1] < 2:
        assert found == Shift(0.0, 1.0)
        return
    expected = stats.chi2_contingency(present, correction=False).pvalue
    assert found.probability == pytest.approx(expected, abs=1e-9)
    shares = np.abs(before / before.sum() - after / after.sum()).sum() / 2
    assert found.distance == pytest.approx(shares)
    assert class_distance(before, before).distance == 0


def test_nothing_moves_where_a_side_is_empty() -> None:
    assert kolmogorov_smirnov(np.array([]), np.array([1.0])) == Shift(0.0, 1.0)
    assert class_distance(np.array([0, 0]), np.array([1, 2])) == Shift(0.0, 1.0)
