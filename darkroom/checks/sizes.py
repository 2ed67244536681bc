"""The sizes of images, counted."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from darkroom.checks.distribution import Distribution, count_again
from darkroom.runtime.arrays import Int64s

# Sizes that wait to be merged: a merge sorts all sizes.
WAITING = 1 << 20


@dataclass(frozen=True)
class Sizes:
    """The distinct sizes, sorted by width and height.

    Attributes:
        width, height: in pixels, int64 [K].
        images: how many have each, int64 [K].
        first: the first row of the manifest that has each, int64 [K].
    """

    width: Int64s
    height: Int64s
    images: Int64s
    first: Int64s

    @classmethod
    def merged(cls, tables: Iterable[tuple[int, pa.Table]]) -> Self:
        """From the ranges in order: the row at which each begins, and its table `sizes`."""
        merged, waiting = np.empty((0, 3), np.int64), list[Int64s]()
        for start, table in tables:
            width, height, images, first = (table[name].to_numpy().astype(np.int64) for name in table.column_names)
            waiting.append(np.stack([width << 32 | height, images, first + start], 1))
            if sum(map(len, waiting)) > max(WAITING, len(merged)):
                merged, waiting = _merge([merged, *waiting]), []
        merged = _merge([merged, *waiting])
        keys = merged[:, 0]
        return cls(keys >> 32, keys & 0xFFFFFFFF, merged[:, 1], merged[:, 2])

    def distribution(self, value: Callable[[Int64s, Int64s], Any]) -> Distribution:
        """Of what a function makes of width and height."""
        values = np.asarray(value(self.width, self.height), np.float64)
        return Distribution([count_again(values, self.images)])


def _merge(parts: list[Int64s]) -> Int64s:
    """Rows of key, images, first row, in the order of first rows, joined by key."""
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    starts = np.flatnonzero(np.concatenate([[True], rows[1:, 0] != rows[:-1, 0]]))[: len(rows)]
    if not len(starts):
        return rows
    return np.stack([rows[starts, 0], np.add.reduceat(rows[:, 1], starts), rows[starts, 2]], 1)
