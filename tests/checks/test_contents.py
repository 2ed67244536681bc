"""What the page of a data set shows: every value and image is counted once, samples are of their class."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.checks.contents import LISTED_SIZES, histogram, size_counts, size_scatter
from darkroom.checks.distribution import Distribution, counted
from darkroom.checks.range_summary import SIZES
from darkroom.checks.samples import SAMPLES, SAMPLES_OF_A_CLASS, pick_samples
from darkroom.checks.sizes import Sizes
from darkroom.drawing.chart import Points, Rule, Steps, figure


def values(*found: float) -> Distribution:
    return Distribution([counted(np.array(found, np.float64))])


def sizes(*found: tuple[int, int]) -> Sizes:
    """Each a range of its own."""
    tables = (pa.table([[width], [height], [1], [0]], names=SIZES.names) for width, height in found)
    return Sizes.merged(enumerate(tables))


VALUES = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=50)


@given(VALUES, VALUES, st.booleans())
def test_every_value_is_in_one_bar(first: list[float], second: list[float], ratio: bool) -> None:
    chart = histogram("Sharpness", "variance", {"before": values(*first), "now": values(*second)}, ratio=ratio)
    bars = [mark for mark in chart.marks if isinstance(mark, Steps)]
    assert [mark.name for mark in bars] == ["before", "now"]
    assert [np.sum(mark.heights) for mark in bars] == pytest.approx([1, 1])
    assert chart.up.high >= max(np.max(mark.heights) for mark in bars)
    assert "nan" not in figure(chart)


def test_limits_are_drawn_where_they_lie_within_and_named_once() -> None:
    chart = histogram("Aspect", "ratio", {"": values(0.5, 1, 4)}, (0.25, 2), ratio=True)
    assert [(mark.at, mark.name) for mark in chart.marks if isinstance(mark, Rule)] == [(2, "limit")]
    assert chart.note == "0.5 to 4, median 1"


def test_the_area_of_a_dot_grows_with_the_images_of_that_size() -> None:
    chart = size_scatter(sizes(*[(10, 20)] * 4, (30, 20)))
    (dots,) = chart.marks
    assert isinstance(dots, Points)
    assert list(dots.texts) == ["10 × 20: 4", "30 × 20: 1"] and list(np.asarray(dots.radius)) == [10, 6]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=200))
def test_samples_are_of_their_class_each_once_and_few(counts: list[int]) -> None:
    picked = pick_samples({str(number): images for number, images in enumerate(counts)})
    assert sum(map(len, picked.values())) <= SAMPLES
    for label, those in picked.items():
        assert len(set(those)) == len(those) <= SAMPLES_OF_A_CLASS and bool(those) == bool(counts[int(label)])
        assert all(one.label == label and 0 <= one.position < counts[int(label)] for one in those)


SIDES = st.integers(1, 5000)


@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=60))
def test_every_image_is_in_one_size(found: list[tuple[int, int]]) -> None:
    listed = size_counts(sizes(*found))
    assert sum(number for _, number in listed) == len(found)
    assert len(listed) <= LISTED_SIZES and len({name for name, _ in listed}) == len(listed)
