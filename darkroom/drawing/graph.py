"""Curves on a plane as inline SVG: coloured by the page's own variables, so they follow its light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkroom.drawing.linechart import ticks
from darkroom.drawing.scale import Scale

# In units of the drawing, which the page scales: small enough that 11-unit lettering stays legible on a phone.
WIDTH, HEIGHT = 420, 324
LEFT, RIGHT, TOP, BOTTOM = 46, 398, 30, 276


@dataclass(frozen=True)
class Axis:
    """An axis: what it counts, where it begins and ends, and whether it is lettered in percent."""

    title: str
    low: float
    high: float
    percent: bool = True


@dataclass(frozen=True)
class Dot:
    """A point of a series with its interval, and what it says when it is pointed at."""

    x: float
    y: float
    top: float
    bottom: float
    radius: float
    text: str


@dataclass(frozen=True)
class Series:
    """Something drawn.

    Attributes:
        name: for the legend; empty for what the legend does not name.
        kind: its style, one of those in `graph.css`.
        path: the `d` of an SVG path; empty for dots alone.
        dots: with their intervals.
    """

    name: str
    kind: str
    path: str
    dots: list[Dot] = field(default_factory=list)


@dataclass(frozen=True)
class Graph:
    """Ready to be drawn by the macro `graph` of `graph.html`; ticks are (place, text).

    Attributes:
        title: what is drawn.
        note: the drawing in words, for those who do not see it.
        x_title, y_title: what the axes count; the latter stands above the vertical one.
        x_ticks, y_ticks: where to letter them.
        series: those drawn first lie below.
        marks: vertical lines, as (place, words).
    """

    title: str
    note: str
    x_title: str
    y_title: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    series: list[Series]
    marks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


class Plane:
    """From values to places in the drawing."""

    def __init__(self, across: Axis, up: Axis) -> None:
        self._axes = across, up
        self._across = Scale(across.low, across.high, LEFT, RIGHT, False)
        self._up = Scale(up.low, up.high, BOTTOM, TOP, False)

    def line(self, name: str, kind: str, x: npt.ArrayLike, y: npt.ArrayLike) -> Series:
        """A polyline through at least one point; values beyond the axes are drawn at their ends."""
        return Series(name, kind, "M" + "L".join(f"{a:g} {b:g}" for a, b in self._places(x, y)))

    def dots(
        self,
        name: str,
        kind: str,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        ends: tuple[npt.ArrayLike, npt.ArrayLike],
        texts: Sequence[str],
        radii: Sequence[float],
        joined: bool = False,
    ) -> Series:
        """Points with the lower and the upper ends of their intervals, joined by a line or not."""
        path = self.line(name, kind, x, y).path if joined else ""
        low, high = ([b for _, b in self._places(x, end)] for end in ends)
        dots = [
            Dot(a, b, top, bottom, radius, text)
            for (a, b), top, bottom, radius, text in zip(self._places(x, y), high, low, radii, texts, strict=True)
        ]
        return Series(name, kind, path, dots)

    def graph(self, title: str, note: str, series: list[Series], marks: Sequence[tuple[float, str]] = ()) -> Graph:
        """The drawing; `marks` are values on the horizontal axis, with their words."""
        across, up = self._axes
        return Graph(
            title,
            note,
            across.title,
            up.title,
            _lettered(across, self._across),
            _lettered(up, self._up),
            series,
            [(float(self._across.place(value)), words) for value, words in marks],
        )

    def _places(self, x: npt.ArrayLike, y: npt.ArrayLike) -> list[tuple[float, float]]:
        across, up = self._axes
        wide = self._across.place(np.clip(np.asarray(x, np.float64), across.low, across.high))
        high = self._up.place(np.clip(np.asarray(y, np.float64), up.low, up.high))
        return list(zip(wide.tolist(), high.tolist(), strict=True))


def _lettered(axis: Axis, scale: Scale) -> list[tuple[float, str]]:
    values = [value for value in ticks(axis.low, axis.high, 6) if axis.low - 1e-9 <= value <= axis.high + 1e-9]
    return [(float(scale.place(value)), f"{100 * value:.4g}%" if axis.percent else f"{value:g}") for value in values]
