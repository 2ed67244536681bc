"""Drawings keep to their plane."""

import re

from hypothesis import given
from hypothesis import strategies as st

from darkroom.drawing.graph import BOTTOM, LEFT, RIGHT, TOP, Axis, Plane

values = st.floats(-2, 3, allow_nan=False)


@given(st.lists(st.tuples(values, values), min_size=1, max_size=20))
def test_whatever_the_values_nothing_is_drawn_outside_the_axes(points: list[tuple[float, float]]) -> None:
    plane = Plane(Axis("x", 0, 1), Axis("y", 0.5, 1))
    x, y = zip(*points, strict=True)
    drawn = plane.dots("both", "first", x, y, (y, y), ["point"] * len(x), [1.0] * len(x), joined=True)
    places = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", drawn.path)]
    assert len(places) == len(points) == len(drawn.dots)
    assert all(LEFT <= a <= RIGHT and TOP <= b <= BOTTOM for a, b in places)
    assert [(dot.x, dot.y) for dot in drawn.dots] == places


def test_ends_of_the_axes_lie_at_the_corners_and_intervals_stand_upright() -> None:
    plane = Plane(Axis("coverage", 0, 1), Axis("risk", 0, 0.2))
    (dot,) = plane.dots("a", "first", [1], [0.2], ([0.1], [0.2]), ["text"], [2.0]).dots
    assert (dot.x, dot.y) == (RIGHT, TOP) and dot.top == TOP and dot.bottom == (TOP + BOTTOM) / 2
    graph = plane.graph("title", "note", [], [(0.5, "here")])
    assert [text for _, text in graph.x_ticks] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert graph.marks == [((LEFT + RIGHT) / 2, "here")]
