"""The tolerance of a drawn class holds as stated."""

from math import comb

import numpy as np
import pytest

from darkroom.splits.tolerance import tolerance


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.2, 0.5])
def test_the_tolerance_holds_999_of_1000_binomial_samples_and_is_no_wider_than_two_groups(share: float) -> None:
    for m in (1, 2, 3, 5, 15, 40, 100, 400):
        probability = np.array([comb(m, k) * share**k * (1 - share) ** (m - k) for k in range(m + 1)])
        low, high = tolerance(share, [m])[0] * m + [-1, 1]
        counts = np.arange(m + 1)
        assert probability[(counts < low) | (counts > high)].sum() <= 0.001
        closer = (counts >= low + 2) & (counts <= high - 2.5)
        assert low <= 0 or high >= m or probability[~closer].sum() > 0.001


@pytest.mark.parametrize(
    "sizes", [[1] * 40, [100] + [1] * 900, [500] + [1] * 500, [200] * 5, [100, 100] + [1] * 200, list(range(1, 61))]
)
def test_the_tolerance_widened_by_the_largest_group_holds_for_groups_of_any_size(sizes: list[int]) -> None:
    rng, n, share = np.random.default_rng(0), np.array(sizes), 0.05
    low, high = tolerance(share, [n.sum() ** 2 / (n**2).sum()])[0] + np.array([-1, 1]) * n.max() / n.sum()
    found = (rng.random((20_000, len(n))) < share) @ n / n.sum()
    assert ((found < low) | (found > high)).mean() < 0.002
