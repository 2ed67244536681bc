"""Charts as inline SVG: axes, marks and a legend. Colours are the page's variables, so that light, dark and print follow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from darkroom.drawing.axis import LEFT, RIGHT, TOP, WIDTH, Axis
from darkroom.runtime.arrays import Bools, Float64s

# Below the plane: ticks, their lettering, the title of the axis.
BELOW = 48
# Between two lines of lettering, and for one letter, at its largest.
LEADING, LETTER = 15, 8


class Plane:
    """From values to places in the drawing."""

    def __init__(self, across: Axis, up: Axis, height: int) -> None:
        self._across, self._up, self.bottom = across, up, height - BELOW

    def x(self, values: npt.ArrayLike) -> Float64s:
        """Places on the horizontal axis."""
        return self._across.places(values, LEFT, RIGHT)

    def y(self, values: npt.ArrayLike) -> Float64s:
        """Places on the vertical axis."""
        return self._up.places(values, self.bottom, TOP)


# Marks. The `style` of each is one of the classes of `page.css`, or several: `accent`, `cold dashed`. Its `name` is for the
# legend, which leaves out what has none.


@dataclass(frozen=True)
class Line:
    """A polyline through float [N] each; where a value is NaN there is a gap."""

    x: npt.ArrayLike
    y: npt.ArrayLike
    style: str
    name: str = ""
    key = '<path class="line" d="M1 5H23"/>'

    def svg(self, plane: Plane) -> str:
        x, y = plane.x(self.x), plane.y(self.y)
        steps, pen = [], "M"
        for a, b, redundant in zip(x.tolist(), y.tolist(), _redundant(x, y) | _redundant(y, x), strict=True):
            if a != a or b != b:
                pen = "M"
            elif not redundant:
                steps.append(f"{pen}{a:g} {b:g}")
                pen = "L"
        return f'<path class="line" d="{"".join(steps)}"/>'


def _redundant(along: Float64s, across: Float64s) -> Bools:
    """Points inside a straight stretch on which `along` does not change: without them the line is the same."""
    still, move = np.diff(along) == 0, np.diff(across)
    amid = still[:-1] & still[1:] & (move[:-1] * move[1:] >= 0)
    return np.concatenate([[False], amid, [False]])[: len(along)]


@dataclass(frozen=True)
class Steps:
    """A histogram, filled, or `outlined`: `edges` float [N + 1] and `heights` float [N]."""

    edges: npt.ArrayLike
    heights: npt.ArrayLike
    style: str
    name: str = ""
    key = '<path class="steps" d="M3 9V1H21V9"/>'

    def svg(self, plane: Plane) -> str:
        first, *edges = plane.x(self.edges).tolist()
        bars = (f"V{top:g}H{right:g}" for top, right in zip(plane.y(self.heights).tolist(), edges, strict=True))
        return f'<path class="steps" d="M{first:g} {plane.bottom}{"".join(bars)}V{plane.bottom}"/>'


@dataclass(frozen=True)
class Points:
    """Dots; one whose place is NaN is left out.

    Attributes:
        x, y: float [N].
        texts: N, what a dot says when it is pointed at.
        radius: of all, or of each.
        low, high: float [N], the ends of an interval in `y`.
        until: float [N], the far end of an interval in `x`, which begins at the dot.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    style: str
    texts: Sequence[str]
    name: str = ""
    radius: npt.ArrayLike = 3.0
    low: npt.ArrayLike | None = None
    high: npt.ArrayLike | None = None
    until: npt.ArrayLike | None = None
    key = '<circle cx="12" cy="5" r="4"/>'

    def svg(self, plane: Plane) -> str:
        x, y = plane.x(self.x), plane.y(self.y)
        low, high = (y if ends is None else plane.y(ends) for ends in (self.low, self.high))
        right = x if self.until is None else plane.x(self.until)
        columns = np.stack(np.broadcast_arrays(x, y, low, high, right, np.asarray(self.radius)), axis=1)
        drawn = []
        for (a, b, bottom, top, end, r), text in zip(columns.tolist(), self.texts, strict=True):
            if a != a or b != b:
                continue
            interval = (f"M{a:g} {b:g}H{end:g}" if end > a else "") + (
                f"M{a:g} {top:g}V{bottom:g}" if bottom > top else ""
            )
            drawn.append(f'<path class="interval" d="{interval}"/>' if interval else "")
            drawn.append(f'<circle cx="{a:g}" cy="{b:g}" r="{r:g}"><title>{escape(text)}</title></circle>')
        return "".join(drawn)


@dataclass(frozen=True)
class Labels:
    """Text to the right of points, or to the left where there is no room; moved downwards where it would lie on another."""

    x: npt.ArrayLike
    y: npt.ArrayLike
    texts: Sequence[str]
    style: str = "ink"
    name = key = ""

    def svg(self, plane: Plane) -> str:
        drawn: list[str] = []
        taken: list[tuple[float, float, float]] = []
        places = zip(plane.x(self.x).tolist(), plane.y(self.y).tolist(), self.texts, strict=True)
        for x, y, text in sorted(places, key=lambda place: place[1]):
            length, height = LETTER * len(text), y - 6
            fits = x + 8 + length <= WIDTH
            left, right = (x + 8, x + 8 + length) if fits else (x - 8 - length, x - 8)
            while any(left < end and start < right and abs(height - other) < LEADING for start, end, other in taken):
                height += 1
            taken.append((left, right, height))
            drawn.append(_text("words", left if fits else right, height, "start" if fits else "end", text))
        return "".join(drawn)


@dataclass(frozen=True)
class Rule:
    """A line across the whole plane: level at a value of the vertical axis, or upright at one of the horizontal axis.

    Attributes:
        text: stands beside an upright one.
    """

    at: float
    style: str
    name: str = ""
    level: bool = False
    text: str = ""
    key = Line.key

    def svg(self, plane: Plane) -> str:
        if self.level:
            return f'<path class="line" d="M{LEFT} {plane.y(self.at):g}H{RIGHT}"/>'
        x = float(plane.x(self.at))
        anchor, left = ("end", x - 5) if x > (LEFT + RIGHT) / 2 else ("start", x + 5)
        words = _text("words", left, TOP + 11, anchor, self.text) if self.text else ""
        return f'<path class="line" d="M{x:g} {TOP}V{plane.bottom}"/>{words}'


@dataclass(frozen=True)
class Region:
    """A rectangle between the ends given on each axis."""

    x: tuple[float, float]
    y: tuple[float, float]
    style: str
    name: str = ""
    key = '<path class="region" d="M1 1H23V9H1Z"/>'

    def svg(self, plane: Plane) -> str:
        (left, right), (bottom, top) = plane.x(self.x), plane.y(self.y)
        return f'<path class="region" d="M{left:g} {bottom:g}H{right:g}V{top:g}H{left:g}Z"/>'


Mark = Line | Steps | Points | Labels | Rule | Region


@dataclass(frozen=True)
class Chart:
    """What `figure` draws.

    Attributes:
        title: what is drawn.
        note: what it shows, in words, for all.
        across, up: the axes.
        marks: the first lie below the others.
        height: in units of the drawing, which is 420 wide.
        alt: further words for those who do not see the drawing.
    """

    title: str
    note: str
    across: Axis
    up: Axis
    marks: Sequence[Mark]
    height: int = 270
    alt: str = ""


def figure(chart: Chart) -> Markup:
    """The `<figure>` of a chart, for a page styled by `page.css`; equal charts give equal text."""
    plane = Plane(chart.across, chart.up, chart.height)
    bottom = plane.bottom
    drawn = []
    for value, text in chart.up.lettered():
        y = float(plane.y(value))
        drawn.append(f'<path class="grid" d="M{LEFT} {y:g}H{RIGHT}"/>{_text("", LEFT - 6, y + 4, "end", text)}')
    for value, text in chart.across.lettered():
        x = float(plane.x(value))
        drawn.append(f'<path class="tick" d="M{x:g} {bottom}v4"/>{_text("", x, bottom + 18, "middle", text)}')
    drawn.append(f'<path class="tick" d="M{LEFT} {bottom}H{RIGHT}"/>')
    drawn.append(_text("", RIGHT, bottom + 39, "end", f"{chart.across.title} →"))
    drawn.append(_text("", 8, TOP - 13, "start", f"↑ {chart.up.title}"))
    drawn += [f'<g class="{mark.style}">{mark.svg(plane)}</g>' for mark in chart.marks]
    keys = [
        f' <span><svg viewBox="0 0 24 10" aria-hidden="true"><g class="{mark.style}">{mark.key}</g></svg>'
        f" <bdi>{escape(mark.name)}</bdi></span>"
        for mark in chart.marks
        if mark.name
    ]
    words = escape(f"{chart.title}: {chart.note}" + (f"; {chart.alt}" if chart.alt else ""))
    return Markup(
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {chart.height}" role="img" aria-label="{words}">'
        f"{''.join(drawn)}</svg>\n<figcaption><b>{escape(chart.title)}</b>: <bdi>{escape(chart.note)}</bdi>.{''.join(keys)}"
        "</figcaption></figure>"
    )


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text{f" class={kind!r}" if kind else ""} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
