"""The drawing of accuracy against time: everything within it, names apart, the corner where it belongs."""

from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression.tradeoff import BOTTOM, LEFT, LINE, RIGHT, TOP, Point, tradeoff


@st.composite
def some_points(draw: st.DrawFn) -> list[Point]:
    shares, times = st.floats(0.01, 0.2), st.floats(0.1, 100)
    points = []
    for number in range(draw(st.integers(1, 6))):
        p50, accuracy = draw(times), draw(st.floats(0.3, 0.99))
        p95, low, high = p50 * draw(st.floats(1, 50)), accuracy - draw(shares), accuracy + draw(shares)
        points.append(Point(f"graph {number}", number == 1, p50, p95, accuracy, low, high))
    return points


@given(points=some_points(), loss=st.floats(0.001, 0.1), speedup=st.floats(1, 10))
def test_all_lies_within_and_names_lie_apart(points: list[Point], loss: float, speedup: float) -> None:
    plot = tradeoff(points, loss, speedup)
    assert sorted(dot.title for dot in plot.dots) == [point.title for point in points]
    for dot in plot.dots:
        assert LEFT <= dot.x <= dot.right <= RIGHT
        assert TOP <= dot.top <= dot.y <= dot.bottom <= BOTTOM
    for index, dot in enumerate(plot.dots):
        assert all(
            dot.anchor != other.anchor or abs(dot.label_y - other.label_y) >= LINE for other in plot.dots[:index]
        )
    reference = next(dot for dot in plot.dots if dot.title == "graph 0")
    assert LEFT <= plot.fast_enough <= reference.x
    assert reference.y <= plot.accurate_enough <= BOTTOM


def test_a_dot_lies_in_the_corner_when_it_is_fast_and_accurate_enough() -> None:
    plot = tradeoff(
        [
            Point("Float", False, 1.0, 1.2, 0.9, 0.9, 0.9),
            Point("INT8", True, 0.5, 0.6, 0.899, 0.896, 0.901),
            Point("Slow", False, 0.9, 1.0, 0.9, 0.899, 0.901),
            Point("Poor", False, 0.4, 0.5, 0.7, 0.69, 0.71),
        ],
        max_accuracy_loss=0.005,
        min_speedup=1.2,
    )
    inside = {dot.title for dot in plot.dots if dot.x <= plot.fast_enough and dot.bottom <= plot.accurate_enough}
    assert inside == {"INT8"}
    assert [dot.title for dot in plot.dots if dot.chosen] == ["INT8"]
