"""Values of many images, counted: how many are below a limit, the median, the bars of a histogram; all exact."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float64s, Int32s, Int64s

# Values that the search for a median looks at in one step.
PROBES = 64


class Distribution:
    """Values that are 0 or more, in parts that are each sorted and counted; parts are never joined."""

    def __init__(self, parts: Iterable[tuple[Float64s, Int64s]]) -> None:
        """Args:
        parts: the distinct values of a part in ascending order, float64 [K], and how many images have each, int64 [K];
            at least one image in all.
        """
        self._parts: list[tuple[Float64s, Int32s]] = [
            (values, np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
            for values, counts in parts
            if len(values)
        ]
        self.images = sum(int(sums[-1]) for _, sums in self._parts)
        self.low = float(min(values[0] for values, _ in self._parts))
        self.high = float(max(values[-1] for values, _ in self._parts))

    @property
    def counted(self) -> tuple[Float64s, Int64s]:
        """All distinct values in ascending order, and how many images have each."""
        values = np.concatenate([values for values, _ in self._parts])
        return count_again(values, np.concatenate([np.diff(sums).astype(np.int64) for _, sums in self._parts]))

    def below(self, limits: npt.ArrayLike) -> Int64s:
        """How many images have less than each limit."""
        return self._rank(limits, "left")

    def above(self, limit: float) -> int:
        """How many images have more than a limit."""
        return self.images - int(self._rank(limit, "right"))

    @cached_property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle."""
        return (self._smallest((self.images - 1) // 2) + self._smallest(self.images // 2)) / 2

    def least_above_zero(self, otherwise: float) -> float:
        """The least value that is not 0, or `otherwise` where that is less or all are 0."""
        firsts = (values[values > 0][:1] for values, _ in self._parts)
        return float(min([otherwise, *(float(first[0]) for first in firsts if len(first))]))

    def bars(self, edges: Float64s) -> Int64s:
        """How many images are between neighbouring edges, int64 [E - 1]; what is beyond an end is in the last bar there."""
        return np.diff(np.concatenate([[0], self.below(edges[1:-1]), [self.images]]))

    def _rank(self, limits: npt.ArrayLike, side: str) -> Int64s:
        found = np.zeros(np.shape(limits), np.int64)
        for values, sums in self._parts:
            found += sums[values.searchsorted(limits, side)]  # type: ignore[call-overload]
        return found

    def _smallest(self, position: int) -> float:
        """The value at a position of all values in ascending order: floats of 0 and more are in the order of their bits."""
        low, high = (int(np.float64(end).view(np.int64)) for end in (self.low, self.high))
        while low < high:
            # Many at once, since a look into the parts costs more than what is looked for.
            probes = np.arange(low, high, max(1, (high - low) // PROBES), dtype=np.int64)
            beyond = np.flatnonzero(self._rank(probes.view(np.float64), "right") > position)
            first = int(beyond[0]) if len(beyond) else len(probes)
            low = int(probes[first - 1]) + 1 if first else low
            high = int(probes[first]) if first < len(probes) else high
        return float(np.int64(low).view(np.float64))


def counted(values: npt.NDArray[np.generic]) -> tuple[Float64s, Int64s]:
    """The distinct values in ascending order, float64 [K], and how often each is there."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.astype(np.float64), counts


def count_again(values: Float64s, images: Int64s) -> tuple[Float64s, Int64s]:
    """The distinct ones of values that are counted already, in ascending order, and how many images have each."""
    order = np.argsort(values, kind="stable")
    values, images = values[order], images[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))[: len(values)]
    return values[starts], np.add.reduceat(images, starts)
