import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.drawing.linechart import BOTTOM, LEFT, RIGHT, TOP, linechart, ticks

values = st.floats(-1e6, 1e6) | st.floats(0, 1)


@given(st.lists(st.tuples(values, values), min_size=1, max_size=80), st.data(), st.booleans())
def test_everything_is_drawn_inside_the_plane(
    pairs: list[tuple[float, float]], data: st.DataObject, percent: bool
) -> None:
    train, validation = zip(*pairs, strict=True)
    chosen = data.draw(st.integers(1, len(pairs)))
    chart = linechart("Loss", train, validation, chosen, percent)
    places = [point[:2] for line in chart.lines for point in line.points] + [chart.chosen]
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in places)
    assert chart.lines[1].points[chosen - 1][:2] == chart.chosen
    assert len({text for _, text in chart.y_ticks}) == len(chart.y_ticks) >= 2
    assert len(chart.x_ticks) >= 1


@given(values, st.floats(0, 1e6))
def test_ticks_are_round_few_and_span_the_values(low: float, span: float) -> None:
    found = ticks(low, low + span, 5)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert found[0] <= low + slack and found[-1] >= low + span - slack
    assert 2 <= len(found) <= 8


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    chart = linechart("Loss", [1, math.nan, 0.5, 0.4], [1, 1, 1, 1], 1, percent=False)
    assert re.findall("[ML]", chart.lines[0].path) == ["M", "M", "L"]
    assert "nan" not in chart.lines[0].path


@pytest.mark.parametrize(("percent", "lettering"), [(True, ["80%", "84%", "88%"]), (False, ["0.80", "0.84", "0.88"])])
def test_lettering(percent: bool, lettering: list[str]) -> None:
    chart = linechart("Accuracy", [0.8, 0.9], [0.81, 0.9], 2, percent)
    assert [text for _, text in chart.y_ticks][::2][:3] == lettering
