import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.checks.charts import histogram, size_scatter
from darkroom.drawing.chart import Points, Rule, Steps, figure

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


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
