"""What the page of a data set shows: every value and image is counted once, samples are of their class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.checks.contents import (
    LISTED_SIZES,
    SAMPLES,
    SAMPLES_OF_A_CLASS,
    histogram,
    pick_samples,
    size_counts,
    size_scatter,
)
from darkroom.drawing.chart import Points, Rule, Steps, figure

VALUES = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=50)


@given(VALUES, VALUES, st.booleans())
def test_every_value_is_in_one_bar(first: list[float], second: list[float], ratio: bool) -> None:
    chart = histogram("Sharpness", "variance", {"before": np.array(first), "now": np.array(second)}, ratio=ratio)
    bars = [mark for mark in chart.marks if isinstance(mark, Steps)]
    assert [mark.name for mark in bars] == ["before", "now"]
    assert [np.sum(mark.heights) for mark in bars] == pytest.approx([1, 1])
    assert chart.up.high >= max(np.max(mark.heights) for mark in bars)
    assert "nan" not in figure(chart)


def test_limits_are_drawn_where_they_lie_within_and_named_once() -> None:
    chart = histogram("Aspect", "ratio", {"": np.array([0.5, 1, 4])}, (0.25, 2), ratio=True)
    assert [(mark.at, mark.name) for mark in chart.marks if isinstance(mark, Rule)] == [(2, "limit")]
    assert chart.note == "0.5 to 4, median 1"


def test_the_area_of_a_dot_grows_with_the_images_of_that_size() -> None:
    chart = size_scatter(pd.Series([10, 10, 10, 10, 30]), pd.Series([20, 20, 20, 20, 20]))
    (dots,) = chart.marks
    assert isinstance(dots, Points)
    assert list(dots.texts) == ["10 × 20: 4", "30 × 20: 1"] and list(np.asarray(dots.radius)) == [10, 6]


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(0, 200))
def test_samples_are_rows_of_their_class_each_once_and_few(labels: list[str], empty_classes: int) -> None:
    classes = ["a", "b", "c", *(f"empty {number}" for number in range(empty_classes))]
    picked = pick_samples(pd.DataFrame({"label": labels}, dtype=str), classes)
    assert len(set(picked)) == len(picked) <= SAMPLES
    for label in "abc":
        shown = sum(labels[row] == label for row in picked)
        assert shown <= SAMPLES_OF_A_CLASS and (shown > 0) == (label in labels)


SIDES = st.integers(1, 5000)


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=60))
def test_every_image_is_in_one_size(sizes: list[tuple[int, int]]) -> None:
    images = pd.DataFrame(sizes, columns=["width", "height"])
    images["shorter_side"] = images.min(axis=1)
    counted = size_counts(images)
    assert sum(number for _, number in counted) == len(images)
    assert len(counted) <= LISTED_SIZES and len({name for name, _ in counted}) == len(counted)
