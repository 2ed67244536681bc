"""The neighbours that an earlier run found and stored, by the rows of this one."""

from typing import Any

import numpy as np

from darkroom.duplicates.described import Described, positions
from darkroom.duplicates.nearest import NONE
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Bools, Float32s, Int32s, Int64s

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
    "bounds": np.dtype("<i4"),
    "nearest_cells": np.dtype(
        [("bound", "<i4"), ("cells", "<i4", (CELLS_LISTED,)), ("distances", "<i4", (CELLS_LISTED,))]
    ),
    "neighbours": np.dtype([("keys", "<i8", (LISTED,)), ("left", "<f4", (LOOKED_AT + 1,))]),
}


class Earlier:
    """What an earlier run stored, by the rows, cells and queries of this one.

    Attributes:
        known: whether there is anything.
        in_order: whether the rows that are left are in the order of then, and with them what is equally near.
        cells: int32 [N], the cell of each row then; -1 where there was none, or it is gone.
        bounds: int32 [Q], of the neighbours of each query; -1 of unknown ones.
        added: int64 [A], the cells whose middles were none then.
    """

    def __init__(self, stored: StoredArrays, identity: str, described: Described, middles: Int64s) -> None:
        self._stored = stored
        ids, starts = described.ids, described.starts
        self.cells, self.bounds = np.full(len(ids), -1, np.int32), np.full(int(starts[-1]), -1, np.int32)
        self.added, self.known, self.in_order = np.arange(len(middles)), False, True
        # The number of each query then; -1 where it is unknown.
        self._then = self.bounds
        # Rows and cells of this run by those of then; behind the last, -1 for none.
        self._row_now = self._cell_now = np.full(1, -1, np.int32)
        if not stored.is_whole(identity):
            return
        ids_then, middles_then = stored.read("ids"), stored.read("middles").astype(np.int64)
        self._row_now = np.append(positions(ids, ids_then), -1).astype(np.int32)
        cell_of = np.full(len(ids) + 1, -1, np.int32)
        cell_of[middles] = np.arange(len(middles))
        self._cell_now = np.append(cell_of[self._row_now[middles_then]], np.int32(-1))
        left = self._cell_now[self._cell_now >= 0]
        if 2 * len(left) < len(middles):  # then little of it holds
            return
        self.known, self.added = True, np.setdiff1d(self.added, left)
        there = np.flatnonzero(self._row_now[:-1] >= 0)
        rows = self._row_now[there]
        self.in_order = bool((np.diff(rows) > 0).all())
        self.cells[rows] = self._cell_now[stored.read("cells")[there]]
        lengths = stored.read("far")[there] + np.int64(1)
        starts_then = np.concatenate([[0], np.cumsum(stored.read("far") + np.int64(1))])
        behind = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self._then = np.full(int(starts[-1]), -1, np.int32)
        self._then[np.repeat(starts[rows], lengths) + behind] = np.repeat(starts_then[there], lengths) + behind
        self.bounds = np.where(self._then >= 0, stored.read("bounds")[self._then], np.int32(-1))

    def nearest_cells(self, start: int, end: int) -> tuple[Int32s, Int32s, Int32s]:
        """What was known of the queries `start` to `end`.

        Returns:
            Their nearest cells, int32 [Q, 32], -1 where there is none or it is gone; the squared distances of their middles,
            those of gone ones too; the bound, int32 [Q], -1 of unknown queries.
        """
        cells, distances = np.full((2, end - start, CELLS_LISTED), -1, np.int32)
        bound = np.full(end - start, -1, np.int32)
        there, records = self._records("nearest_cells", start, end)
        cells[there], distances[there] = self._cell_now[records["cells"]], records["distances"]
        bound[there] = records["bound"]
        return cells, distances, bound

    def neighbours(self, start: int, end: int) -> tuple[Int64s, Float32s, Bools]:
        """In the same way their neighbours.

        Returns:
            Keys, int64 [Q, 20]; what was computed of the first, float32 [Q, 13]; of which a neighbour is gone, bool [Q].
        """
        keys, left = np.full((end - start, LISTED), NONE), np.full((end - start, LOOKED_AT + 1), np.nan, np.float32)
        gone = np.zeros(end - start, np.bool_)
        there, records = self._records("neighbours", start, end)
        then = records["keys"]
        some = then != NONE
        rows = self._row_now[np.where(some, then & 0xFFFFFFFF, -1)]
        keys[there] = np.where(rows < 0, NONE, (then >> 32 << 32) | rows)
        left[there], gone[there] = records["left"], (some & (rows < 0)).any(1)
        return keys, left, gone

    def _records(self, name: str, start: int, end: int) -> tuple[Int64s | slice, Any]:
        """Which of some queries were there, and their records."""
        then = self._then[start:end]
        there = np.flatnonzero(then >= 0)
        if not len(there):
            return there, np.empty(0, TYPES[name])
        places = then[there]
        first, last = int(places.min()), int(places.max())
        records = self._stored.read(name, first, last + 1)
        every: Int64s | slice = slice(None) if len(there) == end - start else there
        return every, records if len(records) == len(places) and self.in_order else records[places - first]
