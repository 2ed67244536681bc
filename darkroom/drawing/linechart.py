"""Line charts over epochs as inline SVG: coloured by the page's own variables, so they follow its light and dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# In units of the drawing, which the page scales: small enough that 11-unit lettering stays legible on a phone.
WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 404, 16, 214


@dataclass(frozen=True)
class Line:
    """One line: its name, the `d` of its SVG path, and its points as (x, y, text)."""

    name: str
    path: str
    points: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn by the macro `linechart` of `linechart.html`; ticks are (place, text).

    Attributes:
        title: what is drawn.
        width, height, left, right, top, bottom: of the drawing, and where its plane ends.
        lines: the training line, then the validation line.
        x_ticks, y_ticks: where to letter the axes.
        chosen: x and y of the chosen epoch on the validation line.
        note: the chosen epoch and its value, in words.
    """

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    chosen: tuple[float, float]
    note: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True)
class _Plane:
    """From epochs and values to places in the drawing."""

    epochs: int
    low: float
    high: float

    def x(self, epoch: float) -> float:
        share = 0.5 if self.epochs == 1 else (epoch - 1) / (self.epochs - 1)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        return round(BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP), 1)


def linechart(title: str, train: Sequence[float], validation: Sequence[float], chosen: int, percent: bool) -> Chart:
    """Lay out a chart of training and validation over epochs.

    Args:
        title: what the values are.
        train, validation: a value for each epoch, the first of epoch 1; one that is not finite leaves a gap.
        chosen: the epoch to mark, counted from 1; its validation value is finite.
        percent: whether the values are shares.
    """
    finite = [value for value in (*train, *validation) if math.isfinite(value)]
    y_ticks = ticks(min(finite), max(finite), 5)
    x_ticks = [epoch for epoch in ticks(1, len(train), 8) if 1 <= epoch <= len(train) and epoch == round(epoch)]
    plane = _Plane(len(train), y_ticks[0], y_ticks[-1])
    # As many digits as tell neighbouring ticks apart; a share in percent needs two fewer.
    digits = max(0, -math.floor(math.log10(y_ticks[1] - y_ticks[0]) + 1e-9) - 2 * percent)
    kind = "%" if percent else "f"
    shown = ".1%" if percent else ".3f"
    return Chart(
        title=title,
        lines=[_line("Training", train, plane, shown), _line("Validation", validation, plane, shown)],
        x_ticks=[(plane.x(epoch), f"{epoch:.0f}") for epoch in x_ticks],
        y_ticks=[(plane.y(value), f"{value:.{digits}{kind}}") for value in y_ticks],
        chosen=(plane.x(chosen), plane.y(validation[chosen - 1])),
        note=f"epoch {chosen}: {validation[chosen - 1]:{shown}}",
    )


def _line(name: str, values: Sequence[float], plane: _Plane, shown: str) -> Line:
    steps, points, pen = [], [], "M"
    for epoch, value in enumerate(values, start=1):
        if not math.isfinite(value):
            pen = "M"
            continue
        x, y = plane.x(epoch), plane.y(value)
        steps.append(f"{pen}{x} {y}")
        points.append((x, y, f"{name}, epoch {epoch}: {value:{shown}}"))
        pen = "L"
    return Line(name, "".join(steps), points)


def ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`: steps of 1, 2 or 5 times a power of ten.

    There are some `at_most` of them, and at least two. What varies by less than a thousandth counts as flat.
    """
    span = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-6)
    power = 10.0 ** math.floor(math.log10(span / at_most))
    step = next(size * power for size in (1, 2, 5, 10) if span / (size * power) <= at_most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]
