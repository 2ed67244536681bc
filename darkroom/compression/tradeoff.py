"""Accuracy against the time for one image, drawn as inline SVG: a dot for each candidate, and the corner it must lie in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.drawing.linechart import ticks
from darkroom.drawing.scale import Scale

# In units of the drawing, which the page scales: small enough that 11-unit lettering stays legible on a phone.
WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 54, 468, 16, 256
LINE = 13  # between two lines of lettering
ROOM = 1.35  # so many times the largest median fits


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


@dataclass(frozen=True)
class Dot:
    """A point laid out: its place, the ends of its interval and of its 95th percentile, and its lettering."""

    x: float
    y: float
    top: float
    bottom: float
    right: float
    label_x: float
    label_y: float
    anchor: str
    title: str
    chosen: bool
    text: str


@dataclass(frozen=True)
class TradeOff:
    """Ready to be drawn by the macro `tradeoff` of `quantize.html`; ticks are (place, text).

    Attributes:
        fast_enough, accurate_enough: the edges of the corner that a candidate and its interval must lie in.
    """

    dots: list[Dot]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    fast_enough: float
    accurate_enough: float
    x_title: str = "milliseconds for one image"
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def tradeoff(points: Sequence[Point], max_accuracy_loss: float, min_speedup: float) -> TradeOff:
    """Lay out the drawing.

    Args:
        points: float first.
        max_accuracy_loss: that is allowed.
        min_speedup: that is asked for.
    """
    reference = points[0]
    needed = reference.accuracy - max_accuracy_loss
    letters = ticks(min(needed, *(point.low for point in points)), max(point.high for point in points), 6)
    up = Scale(letters[0], letters[-1], BOTTOM, TOP, False)
    # By the medians: on a busy machine the 95th percentile may lie far away, and is drawn to the edge then.
    across = Scale(0.0, ROOM * max(point.p50_ms for point in points), LEFT, RIGHT, False)
    digits = max(0, -math.floor(math.log10(letters[1] - letters[0]) + 1e-9) - 2)
    return TradeOff(
        dots=_dots(points, across, up),
        x_ticks=across.ticks(7),
        y_ticks=[(float(up.place(value)), f"{value:.{digits}%}") for value in letters],
        fast_enough=float(across.place(reference.p50_ms / min_speedup)),
        accurate_enough=float(up.place(needed)),
    )


def _dots(points: Sequence[Point], across: Scale, up: Scale) -> list[Dot]:
    """The points in their places; names that would lie on each other are moved apart, downwards."""
    dots: list[Dot] = []
    for point in sorted(points, key=lambda each: -each.accuracy):
        x, y = float(across.place(point.p50_ms)), float(up.place(point.accuracy))
        right_half = x > (LEFT + RIGHT) / 2
        anchor = "end" if right_half else "start"
        label_y = y - 6
        while any(dot.anchor == anchor and abs(dot.label_y - label_y) < LINE for dot in dots):
            label_y += 1
        text = (
            f"{point.title}: {point.accuracy:.2%} on validation, {point.p50_ms:.3g} ms for one image, "
            f"{point.p95_ms:.3g} ms at the 95th percentile"
        )
        dots.append(
            Dot(
                x=x,
                y=y,
                top=float(up.place(point.high)),
                bottom=float(up.place(point.low)),
                right=min(float(across.place(point.p95_ms)), float(RIGHT)),
                label_x=x - 8 if right_half else x + 8,
                label_y=label_y,
                anchor=anchor,
                title=point.title,
                chosen=point.chosen,
                text=text,
            )
        )
    return dots
