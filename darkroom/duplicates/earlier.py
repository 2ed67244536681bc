"""The neighbours that an earlier run found and stored, by the rows of this one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.described import positions
from darkroom.duplicates.nearest import NONE, Nearest, none_nearest, rows_of
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Float32s, Int64s, UInt64s

# Neighbours looked at for each picture, and the rank whose distance measures how crowded it is around it: pictures that
# all look alike have near neighbours without being copies. A set of up to 16 copies of one picture is no crowd.
LOOKED_AT, CROWD = 12, 16
# A few more are listed than are looked at, so that few lists are too short when rows are gone.
CELLS_LISTED, LISTED = 32, 20
TYPES: dict[str, np.dtype[Any]] = {
    "ids": np.dtype("<u8"),
    "far": np.dtype("u1"),
    "middles": np.dtype("<i4"),
    "cells": np.dtype("<i4"),
    "nearest_cells": np.dtype([("bound", "<i4"), ("keys", "<i8", (CELLS_LISTED,))]),
    "neighbours": np.dtype([("bound", "<i4"), ("keys", "<i8", (LISTED,)), ("left", "<f4", (LOOKED_AT + 1,))]),
}


class Earlier:
    """What an earlier run stored, by the rows of this one.

    Attributes:
        cells: int64 [N], the row of the middle of each row's cell then; -1 where there was none, or it is gone.
        was_middle: bool [C], which middles of this run were middles then.
    """

    def __init__(self, stored: StoredArrays, identity: str, ids: UInt64s, middles: Int64s) -> None:
        self._stored = stored
        self._row_then = np.full(len(ids), -1)
        self.cells, self.was_middle = np.full(len(ids), -1), np.zeros(len(middles), np.bool_)
        if not stored.is_whole(identity):
            return
        ids_then = stored.read("ids")
        middles_then = stored.read("middles").astype(np.int64)
        # Behind the last, -1 for no row.
        self._row_now = np.append(positions(ids, ids_then), -1)
        self.was_middle = np.isin(middles, self._row_now[middles_then])
        if 2 * self.was_middle.sum() < len(middles):  # then little of it holds
            self.was_middle[:] = False
            return
        self._row_then = positions(ids_then, ids)
        self._starts_then = np.concatenate([[0], np.cumsum(stored.read("far") + np.int64(1))])
        there = self._row_then >= 0
        cells_then = stored.read("cells")[self._row_then[there]]
        self.cells[there] = self._row_now[middles_then[cells_then]]
        self._is_middle = np.zeros(len(ids) + 1, np.bool_)
        self._is_middle[middles] = True

    def nearest_cells(self, start: int, end: int, starts: Int64s) -> Nearest:
        """The nearest middles that are left, of the queries of rows `start` to `end`; of unknown ones the bound is -1."""
        found, records, there = self._records("nearest_cells", start, end, starts)
        if len(records):
            keys = self._keys_now(records["keys"])
            rows = rows_of(keys)
            found.keys[there] = np.where(self._is_middle[rows], keys, NONE)
            found.bound[there] = records["bound"]
        return found

    def neighbours(self, start: int, end: int, starts: Int64s) -> tuple[Nearest, Float32s]:
        """The neighbours that are left, in the same way; and what was computed of them, float32 [Q, 13]."""
        found, records, there = self._records("neighbours", start, end, starts)
        left = np.full((len(found.bound), LOOKED_AT + 1), np.nan, np.float32)
        if len(records):
            found.keys[there], found.bound[there] = self._keys_now(records["keys"]), records["bound"]
            left[there] = records["left"]
        return found, left

    def _keys_now(self, keys: Int64s) -> Int64s:
        rows = self._row_now[rows_of(keys)]
        return np.where(rows < 0, NONE, (keys >> 32 << 32) | rows)

    def _records(self, name: str, start: int, end: int, starts: Int64s) -> tuple[Nearest, npt.NDArray[Any], Int64s]:
        """Empty lists for the queries of some rows; the records of those that were there, and which these are."""
        count = int(starts[end] - starts[start])
        then = self._row_then[start:end]
        there = np.flatnonzero(then >= 0)
        length = TYPES[name]["keys"].shape[0]
        empty = none_nearest(count, length, np.int64(-1))
        if not len(there):
            return empty, np.empty(0, TYPES[name]), there
        lengths = (starts[start + there + 1] - starts[start + there]).astype(np.int64)
        behind = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        places = np.repeat(self._starts_then[then[there]], lengths) + behind
        first = int(places[0])
        records = self._stored.read(name, first, int(places[-1]) + 1)[places - first]
        return empty, records, np.repeat(starts[start + there] - starts[start], lengths) + behind
