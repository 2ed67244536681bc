"""Axes of charts: from values to places in a drawing, and where to letter them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float64s

# In units of the drawing, which the page scales. Lettering is 11.5 to 13.5 units tall (`page.css`), legible on a phone, too.
WIDTH, LEFT, RIGHT, TOP = 420, 54, 396, 30
# Logarithmic axes are lettered at these, times powers of ten.
MANTISSAS = (1, 2, 5)
# More ticks than this would touch each other.
MOST_TICKS = 7


@dataclass(frozen=True)
class Axis:
    """What an axis counts, and its ends; what lies beyond them is drawn at them.

    Attributes:
        title: with the unit; empty where the drawing says it elsewhere.
        low, high: the ends; above 0 where `log`.
        log: whether equal ratios are equally far apart.
        percent: whether shares of one are lettered in percent.
        whole: whether only whole numbers are lettered.
        ticks: value and text of each tick; empty for a few round numbers.
    """

    title: str
    low: float
    high: float
    log: bool = False
    percent: bool = False
    whole: bool = False
    ticks: Sequence[tuple[float, str]] = ()

    def lettered(self) -> Sequence[tuple[float, str]]:
        """Value and text of each tick."""
        if self.ticks:
            return self.ticks
        if self.log and len(values := _log_steps(self.low, self.high)) > 1:
            return [(value, f"{value:,.6g}") for value in values]
        slack = 1e-9 * (self.high - self.low)
        values = round_steps(self.low, self.high, MOST_TICKS - 1)
        texts = _texts(values, self.percent)
        within = [tick for tick in texts if self.low - slack <= tick[0] <= self.high + slack]
        return [(value, f"{value:,.0f}") for value, _ in within if value.is_integer()] if self.whole else within

    def places(self, values: npt.ArrayLike, start: float, end: float) -> Float64s:
        """Where values lie in the drawing, rounded to a tenth of a unit; NaN stays NaN.

        Args:
            values: of any shape.
            start, end: the places of `low` and of `high`.

        Returns:
            float64 of the shape of `values`, between `start` and `end`.
        """
        clipped = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high, found = (np.log(each) if self.log else each for each in (self.low, self.high, clipped))
        return np.round(start + (found - low) / (high - low) * (end - start), 1)


def round_axis(title: str, low: float, high: float, percent: bool = False) -> Axis:
    """An axis from a round number at or below `low` to one at or above `high`, lettered at both ends."""
    values = round_steps(low, high, 5)
    return Axis(title, values[0], values[-1], percent=percent, ticks=_texts(values, percent))


def round_steps(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`: steps of 1, 2 or 5 times a power of ten.

    There are some `at_most` of them, and at least two. What varies by less than a hundredth counts as flat.
    """
    span = max(high - low, 1e-2 * max(abs(low), abs(high)), 1e-6)
    power = 10.0 ** math.floor(math.log10(span / at_most))
    step = next(size * power for size in (1, 2, 5, 10) if span / (size * power) <= at_most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def _log_steps(low: float, high: float) -> list[float]:
    """Round numbers within; the fewer, the more decades there are."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    within = [m * 10.0**power for power in powers for m in MANTISSAS if low <= m * 10.0**power <= high]
    decades = [value for value in within if f"{value:.0e}".startswith("1")]
    return within if len(within) <= MOST_TICKS else decades[:: -(-len(decades) // MOST_TICKS)]


def _texts(values: Sequence[float], percent: bool) -> list[tuple[float, str]]:
    """Values in equal steps, at least two, with as many digits as tell neighbours apart; a percentage needs two fewer."""
    digits = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9) - 2 * percent)
    return [(value, f"{value:,.{digits}{'%' if percent else 'f'}}") for value in values]
