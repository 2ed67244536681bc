"""Shifts: the statistics agree with SciPy's, and two equal sides have not moved."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from darkroom.expectations.change import class_distance, kolmogorov_smirnov, measure_change
from darkroom.reporting.since_commit import changes_page

COUNTS = arrays(np.int64, (2, 4), elements=st.integers(1, 200))
VALUES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.9]), min_size=1, max_size=60).map(np.array)


@given(COUNTS)
def test_class_shares(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    found = class_distance(*counts)
    shares = counts / counts.sum(1, keepdims=True)
    assert found.distance == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)
    assert found.probability == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)


@given(VALUES, VALUES)
def test_distributions(
    before: np.ndarray[tuple[int, ...], np.dtype[np.float64]], after: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    found = kolmogorov_smirnov(before, after)
    expected = stats.ks_2samp(before, after, method="asymp")
    assert found.distance == pytest.approx(expected.statistic)
    assert 0 <= found.probability <= 1
    assert kolmogorov_smirnov(before, before).distance == 0


def test_a_small_set_may_move_far_by_chance_and_that_is_no_shift() -> None:
    assert class_distance(np.array([2, 3]), np.array([3, 2])).beyond_chance == 0
    assert class_distance(np.array([2000, 3000]), np.array([3000, 2000])).beyond_chance == pytest.approx(0.2)


def test_new_and_lost_classes_and_brightness_that_was_not_measured_then() -> None:
    before = pd.DataFrame({"label": ["a"] * 30 + ["b"] * 30, "width": 10, "height": 10, "brightness": None})
    after = pd.DataFrame({"label": ["b"] * 30 + ["c"] * 30, "width": 10, "height": 40, "brightness": 0.5})
    found = measure_change(before, after)
    assert found.classes.to_dict("list") == {"label": ["a", "b", "c"], "before": [30, 30, 0], "after": [0, 30, 30]}
    assert found.table.loc[0].to_dict() == {"class_shift": 0.5, "size_shift": 1.0, "brightness_shift": 0.0}


def test_the_page_without_a_commit_says_so() -> None:
    assert "No data version has been committed yet." in changes_page("no data version has been committed yet", [])
