"""Neighbours among many pictures: pictures are divided into cells, and those in the nearest few cells are compared.

What an earlier run found is taken over where it still holds, so that the cost follows the change, and the result is that of a
run from nothing: a list of nearest rows is complete up to its bound, so rows can be taken out of it and others merged into it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.duplicates.described import Described
from darkroom.duplicates.earlier import CELLS_LISTED, CROWD, LISTED, TYPES, Earlier
from darkroom.duplicates.nearest import ALL, NONE, CellIndex, Nearest, merged, nearest_points, none_nearest, rows_of
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Bools, Float32s, Int16s, Int64s
from darkroom.runtime.seeding import uniform_per_image

# Cells that are searched for each query.
CELLS_SEARCHED = 24
# Rows at a time.
PIECE = 8 * 1024


@dataclass(frozen=True)
class Part:
    """The neighbours of some queries.

    Attributes:
        queries: float32 [Q, 27].
        of: int64 [Q], the row of each; the first query of a row is the picture itself.
        itself: bool [Q].
        nearest: the neighbours, 17 at least where the cells have as many.
        left: float32 [Q, 13], what an earlier run computed of the first 13; NaN where it did not.
    """

    queries: Float32s
    of: Int64s
    itself: Bools
    nearest: Nearest
    left: Float32s


class CellSearch:
    """The search for all pictures of a data set. `parts` gives each part in turn, and `keep` takes what was made of it."""

    def __init__(self, described: Described, earlier: Path, made: Path, identity: str) -> None:
        """Args:
        described: the pictures.
        earlier: the folder of what an earlier run stored; it need not exist.
        made: the folder for what this one stores.
        identity: of what decides descriptors and neighbours.
        """
        self._described, self._identity = described, identity
        self._starts = described.starts()
        self._middles = lowest(described.descriptors, cell_count(len(described)))
        self._made = StoredArrays(made, TYPES)
        self._earlier = Earlier(StoredArrays(earlier, TYPES), identity, described.ids, self._middles)
        self._cells = np.empty(len(described), np.int64)
        # The cell that each row is the middle of; behind the last, -1 for no row.
        self._cell_of = np.full(len(described) + 1, -1, np.int32)
        self._cell_of[self._middles] = np.arange(len(self._middles))

    def parts(self) -> Iterator[Part]:
        """All queries, in the order of rows."""
        self._assign()
        moved = self._earlier.cells != self._middles[self._cells]
        index = {still: self._index(np.flatnonzero(moved != still)) for still in (True, False)}
        for start, end in self._pieces():
            yield self._searched(start, end, moved, index[True], index[False])

    def keep(self, part: Part, left: Float32s) -> None:
        """Store a part, with `left` filled, for the next run."""
        records = np.empty(len(part.of), TYPES["neighbours"])
        records["bound"], records["keys"], records["left"] = part.nearest.bound, part.nearest.keys, left
        self._made.append("neighbours", records)

    def seal(self) -> None:
        """Store the rest, when all parts are."""
        for name, rows in (
            ("ids", self._described.ids),
            ("far", self._described.far),
            ("middles", self._middles),
            ("cells", self._cells),
        ):
            self._made.append(name, rows)
        self._made.seal(self._identity)

    def _pieces(self) -> list[tuple[int, int]]:
        count = len(self._described)
        return [(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]

    def _index(self, rows: Int64s) -> CellIndex:
        points = self._described.descriptors[rows]
        return CellIndex(points, rows, self._cells[rows], len(self._middles))

    def _assign(self) -> None:
        """Find and store the nearest cells of each query."""
        middles = self._described.descriptors[self._middles].astype(np.float32)
        least = min(CELLS_SEARCHED, len(self._middles))
        added = ~self._earlier.was_middle
        for start, end in self._pieces():
            queries, of = self._described.queries(start, end)
            known = self._earlier.nearest_cells(start, end, self._starts)
            found = none_nearest(len(of), CELLS_LISTED, ALL)
            if (known.bound >= 0).any():
                more = nearest_points(queries, middles[added], self._middles[added], CELLS_LISTED, 0)
                found = merged([known, more], CELLS_LISTED)
            lacking = (known.bound < 0) | found.lacks(least)
            fresh = nearest_points(queries[lacking], middles, self._middles, CELLS_LISTED, least)
            found.keys[lacking], found.bound[lacking] = fresh.keys, fresh.bound
            self._cells[start:end] = self._cell_of[found.rows[np.diff(of, prepend=-1) > 0, 0]]
            records = np.empty(len(of), TYPES["nearest_cells"])
            records["bound"], records["keys"] = found.bound, found.keys
            self._made.append("nearest_cells", records)

    def _searched(self, start: int, end: int, moved: Bools, still: CellIndex, others: CellIndex) -> Part:
        """The neighbours of a part of the rows; `still` has the rows that are in the cell of then, `others` the rest."""
        queries, of = self._described.queries(start, end)
        stored = self._made.read("nearest_cells", int(self._starts[start]), int(self._starts[end]))
        cells = self._cell_of[rows_of(stored["keys"][:, :CELLS_SEARCHED])].astype(np.int64)
        before = self._earlier.nearest_cells(start, end, self._starts)
        known, left = self._earlier.neighbours(start, end, self._starts)
        # Rows that are gone, in another cell, or in a cell that is searched no more.
        rows = known.rows
        keys = np.where((rows >= 0) & moved[rows], NONE, known.keys)
        was = self._cell_of[before.rows[:, :CELLS_SEARCHED]].astype(np.int64)
        other = np.flatnonzero((known.bound >= 0) & (was != cells).any(1))
        inside = (self._cells[rows[other]][:, :, None] == cells[other][:, None]).any(2)
        keys[other] = np.where(inside, keys[other], NONE)
        added = np.where((cells[other][:, :, None] == was[other][:, None]).any(2), -1, cells[other])
        more = none_nearest(len(of), LISTED, ALL)
        entered = still.search(queries[other], _leading(added), LISTED)
        more.keys[other], more.bound[other] = entered.keys, entered.bound
        new = others.search(queries, cells, LISTED)
        found = merged([Nearest(keys, known.bound), more, new], LISTED)
        lacking = np.flatnonzero((known.bound < 0) | found.lacks(CROWD + 1))
        fresh = merged([still.search(queries[lacking], cells[lacking], LISTED), new.of(lacking)], LISTED)
        for position in np.flatnonzero(fresh.lacks(CROWD + 1)):
            query = lacking[position]
            both = [index.keys_in(queries[query], cells[query], CROWD + 1) for index in (still, others)]
            fresh.keys[position, : CROWD + 1] = np.sort(np.concatenate(both))[: CROWD + 1]
        found.keys[lacking], found.bound[lacking] = fresh.keys, fresh.bound
        itself = np.diff(of, prepend=-1) > 0
        return Part(queries, of, itself, found, _carried(found.keys, known.keys, left))


def cell_count(pictures: int) -> int:
    """A power of two near four times the root of the pictures."""
    return int(2 ** round(np.log2(4 * np.sqrt(pictures))))


def lowest(descriptors: Int16s, count: int) -> Int64s:
    """The rows whose numbers have the lowest hashes, in order; of rows with equal numbers the first one.

    The middles of the cells: nothing is trained, and of 1,024 middles 1% new images replace some ten. With rows evenly spaced,
    600 images added to CIFAR-10 changed 17 of the 880 groups of the others.
    """
    odd = np.random.default_rng(0).integers(0, 2**62, descriptors.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys = np.empty(len(descriptors), np.uint64)
    for start in range(0, len(keys), PIECE):
        part = descriptors[start : start + PIECE].astype(np.int64).view(np.uint64)
        keys[start : start + PIECE] = (part * odd).sum(1)
    keys, first = np.unique(keys, return_index=True)
    return np.sort(first[np.argsort(uniform_per_image(keys, "cells"), kind="stable")[:count]])


def _leading(cells: Int64s) -> Int64s:
    """The numbers that are not -1 first in each row, without the columns that then have none."""
    cells = -np.sort(-cells, axis=1)
    return cells[:, : int((cells >= 0).sum(1).max(initial=0))]


def _carried(keys: Int64s, known: Int64s, left: Float32s) -> Float32s:
    """What was computed of the neighbours that are still among the first, float32 [Q, 13]."""
    carried = np.full(left.shape, np.nan, np.float32)
    keys, known = keys[:, : left.shape[1]], known[:, : left.shape[1]]
    some = np.flatnonzero(~np.isnan(left).all(1))
    for start in range(0, len(some), PIECE):
        rows = some[start : start + PIECE]
        equal = (keys[rows][:, :, None] == known[rows][:, None]) & (keys[rows] != NONE)[:, :, None]
        place = equal.argmax(2)
        carried[rows] = np.where(equal.any(2), np.take_along_axis(left[rows], place, 1), np.nan)
    return carried
