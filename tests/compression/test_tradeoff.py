"""The chart of accuracy against time: all of it within the axes, the corner where it belongs."""

from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression.tradeoff import Point, tradeoff_chart
from darkroom.drawing.chart import Chart, Labels, Points, Region, figure


@st.composite
def some_points(draw: st.DrawFn) -> list[Point]:
    shares, times = st.floats(0.01, 0.2), st.floats(0.1, 100)
    points = []
    for number in range(draw(st.integers(2, 6))):
        p50, accuracy = draw(times), draw(st.floats(0.3, 0.99))
        p95, low, high = p50 * draw(st.floats(1, 50)), accuracy - draw(shares), accuracy + draw(shares)
        points.append(Point(f"graph {number}", number == 1, p50, p95, accuracy, low, high))
    return points


def corner(chart: Chart) -> Region:
    return next(mark for mark in chart.marks if isinstance(mark, Region))


@given(points=some_points(), loss=st.floats(0.001, 0.1), speedup=st.floats(1, 10))
def test_medians_and_intervals_lie_within_the_axes(points: list[Point], loss: float, speedup: float) -> None:
    chart = tradeoff_chart(points, loss, speedup)
    assert all(0 < point.p50_ms < chart.across.high for point in points)
    assert all(chart.up.low <= point.low + 1e-9 and point.high <= chart.up.high + 1e-9 for point in points)
    assert corner(chart).x[1] <= points[0].p50_ms and chart.up.low <= corner(chart).y[0] + 1e-9
    (labels,) = (mark for mark in chart.marks if isinstance(mark, Labels))
    assert labels.texts == [point.title for point in points]


def test_a_candidate_may_ship_from_the_corner_alone() -> None:
    points = [
        Point("Float", False, 1.0, 1.2, 0.9, 0.9, 0.9),
        Point("INT8", True, 0.5, 0.6, 0.899, 0.896, 0.901),
        Point("Slow", False, 0.9, 1.0, 0.9, 0.899, 0.901),
        Point("Poor", False, 0.4, 0.5, 0.7, 0.69, 0.71),
    ]
    chart = tradeoff_chart(points, max_accuracy_loss=0.005, min_speedup=1.2)
    (_, fast), (needed, _) = corner(chart).x, corner(chart).y
    assert [point.title for point in points if point.p50_ms <= fast and point.low >= needed] == ["INT8"]
    rest, chosen = (mark for mark in chart.marks if isinstance(mark, Points))
    assert (chosen.x, chosen.y, chosen.name) == ([0.5], [0.899], "ships") and len(rest.texts) == 3
    assert chart.note == "INT8 ships"
    assert "INT8: 89.90% on validation, 0.5 ms for one image, 0.6 ms at the 95th percentile" in figure(chart)
