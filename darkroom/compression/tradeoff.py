"""Accuracy against the time for one image: a dot for each candidate, and the corner in which one must lie to ship."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Labels, Mark, Points, Region

# So many times the largest median fits.
ROOM = 1.35


@dataclass(frozen=True)
class Point:
    """One candidate.

    Attributes:
        title: its name for people.
        chosen: whether it ships.
        p50_ms, p95_ms: milliseconds for one image.
        accuracy: on validation.
        low, high: the float accuracy less the ends of the loss's interval; equal to `accuracy` for float.
    """

    title: str
    chosen: bool
    p50_ms: float
    p95_ms: float
    accuracy: float
    low: float
    high: float


def tradeoff_chart(points: Sequence[Point], max_accuracy_loss: float, min_speedup: float) -> Chart:
    """The candidates, and the corner in which one and its interval must lie.

    Args:
        points: float first.
        max_accuracy_loss: that is allowed.
        min_speedup: that is asked for.
    """
    reference = points[0]
    needed, fast = reference.accuracy - max_accuracy_loss, reference.p50_ms / min_speedup
    # By the medians: on a busy machine the 95th percentile may lie far away, and is drawn to the edge then.
    across = Axis("milliseconds for one image", 0, ROOM * max(point.p50_ms for point in points))
    up = round_axis(
        "accuracy",
        min(needed, *(point.low for point in points)),
        max(needed, *(point.high for point in points)),
        percent=True,
    )
    marks: list[Mark] = [Region((0, fast), (needed, up.high), "good dashed", "may ship")]
    for style, chosen in (("cold", False), ("accent", True)):
        group = [point for point in points if point.chosen is chosen]
        times, accuracies = [point.p50_ms for point in group], [point.accuracy for point in group]
        texts = [
            f"{point.title}: {point.accuracy:.2%} on validation, {point.p50_ms:.3g} ms for one image, "
            f"{point.p95_ms:.3g} ms at the 95th percentile"
            for point in group
        ]
        marks.append(
            Points(
                times,
                accuracies,
                style,
                texts,
                "ships" if chosen else "",
                radius=5 if chosen else 4,
                low=[point.low for point in group],
                high=[point.high for point in group],
                until=[point.p95_ms for point in group],
            )
        )
    titles = [point.title for point in points]
    marks.append(Labels([point.p50_ms for point in points], [point.accuracy for point in points], titles))
    spoken = [f"{point.title} {point.accuracy:.2%}, {point.p50_ms:.3g} ms" for point in points]
    note = f"{next(point.title for point in points if point.chosen)} ships"
    return Chart("Accuracy and time", note, across, up, marks, 300, alt="; ".join(spoken))
