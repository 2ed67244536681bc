"""An axis: from values to places in a drawing, and where to letter it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.drawing.linechart import ticks

Floats = npt.NDArray[np.float64]

# Logarithmic scales are lettered with these, times powers of ten.
ROUND = (1, 2, 5)


@dataclass(frozen=True)
class Scale:
    """From values to places in the drawing, in equal steps or in equal ratios.

    Attributes:
        low, high: values; above 0 where `ratio`.
        start, end: their places, in units of the drawing.
        ratio: whether equal ratios are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    ratio: bool

    def place(self, value: float | Floats) -> Floats:
        """Where values lie, rounded to a tenth of a unit."""
        low, high, found = (np.log(part) if self.ratio else part for part in (self.low, self.high, value))
        return np.round(self.start + (found - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, at_most: int) -> list[tuple[float, str]]:
        """Places and lettering of some round values in between."""
        if self.ratio:
            powers = range(int(np.floor(np.log10(self.low))), int(np.ceil(np.log10(self.high))) + 1)
            wanted = [step * 10.0**power for power in powers for step in ROUND]
            within = [value for value in wanted if self.low <= value <= self.high]
            # Where the decades are many, each is lettered once; where there is not one, in equal steps after all.
            within = within if len(within) <= at_most else [value for value in within if f"{value:.0e}".startswith("1")]
            wanted = within if len(within) > 1 else ticks(self.low, self.high, at_most)
        else:
            wanted = ticks(self.low, self.high, at_most)
        return [(float(self.place(value)), f"{value:,.6g}") for value in wanted if self.low <= value <= self.high]
