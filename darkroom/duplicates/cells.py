"""Neighbours among many pictures: pictures are divided into cells, and those in the nearest few cells are compared.

What an earlier run found is taken over where it still holds, so that the cost follows the change, and the result is that of a
run from nothing: a list of nearest rows is complete up to its bound, so rows can be taken out of it and others merged into it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.duplicates.arrivals import Arrivals, arrivals, beyond
from darkroom.duplicates.described import Described
from darkroom.duplicates.descriptors import LENGTH
from darkroom.duplicates.earlier import CELLS_LISTED, CROWD, LISTED, TYPES, Earlier
from darkroom.duplicates.nearest import ALL, NONE, CellIndex, Nearest, merged, nearest_points, none_nearest, rows_of
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Bools, Float32s, Int32s, Int64s
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
        self._starts = described.starts
        self._middles = lowest(described, cell_count(len(described)))
        self._made = StoredArrays(made, TYPES)
        self._earlier = Earlier(StoredArrays(earlier, TYPES), identity, described, self._middles)
        self._cells = np.empty(len(described), np.int32)
        self._searches = min(CELLS_SEARCHED, len(self._middles))
        # Queries, and cells that they search and did not before; whether a query searches a cell no more that is still there.
        self._entered = [np.empty((2, 0), np.int64)]
        self._left_cells = np.zeros(int(self._starts[-1]), np.bool_)

    def parts(self) -> Iterator[Part]:
        """All queries, in the order of rows."""
        for start, end in self._pieces():
            self._assign(start, end)
        moved = self._earlier.cells != self._cells
        came = self._arrivals(moved)
        index = CellIndex(self._described, self._cells, len(self._middles))
        for start, end in self._pieces():
            yield self._part(start, end, moved, came, index)

    def keep(self, part: Part, left: Float32s) -> None:
        """Store a part, with `left` filled, for the next run."""
        records = np.empty(len(part.of), TYPES["neighbours"])
        records["keys"], records["left"] = part.nearest.keys, left
        self._made.append("neighbours", records)
        self._made.append("bounds", part.nearest.bound)

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

    def _assign(self, start: int, end: int) -> None:
        """Find and store the nearest cells of the queries of some rows. Cells are in the order of their middles."""
        middles = self._described.descriptors(self._middles).astype(np.float32)
        everything, least = np.arange(len(middles)), self._searches
        queries, of = self._described.queries(start, end)
        first, last = int(self._starts[start]), int(self._starts[end])
        cells, distances, bound = self._earlier.nearest_cells(first, last)
        before, known = cells[:, :least].copy(), bound >= 0
        gone = ((cells < 0) & (distances < NONE >> 32)).any(1)
        changed = ~known | gone | (distances[:, least - 1] > bound) | (not self._earlier.in_order)
        added = self._earlier.added
        changed[~changed] = (beyond(queries[~changed], bound[~changed], middles[added]) <= 0).any(1)
        keys = np.where(cells[changed] < 0, NONE, distances[changed].astype(np.int64) << 32 | cells[changed])
        then = Nearest(keys, bound[changed].astype(np.int64))
        asked = queries[changed]
        more = nearest_points(asked[known[changed]], middles[added], added, CELLS_LISTED, 0)
        found = none_nearest(len(asked), CELLS_LISTED, np.int64(-1))
        some = merged([then.of(known[changed]), more], CELLS_LISTED)
        found.keys[known[changed]], found.bound[known[changed]] = some.keys, some.bound
        lacking = (found.bound < 0) | found.lacks(least)
        fresh = nearest_points(asked[lacking], middles, everything, CELLS_LISTED, least)
        found.keys[lacking], found.bound[lacking] = fresh.keys, fresh.bound
        cells[changed], distances[changed], bound[changed] = found.rows, found.distances, found.bound
        self._cells[start:end] = cells[np.diff(of, prepend=-1) > 0, 0]
        now = cells[:, :least]
        both = np.flatnonzero(changed & known)
        same = now[both][:, :, None] == before[both][:, None]
        query, rank = np.nonzero(~same.any(2) & (now[both] >= 0))
        self._entered.append(np.stack([first + both[query], now[both[query], rank]]))
        self._left_cells[first + both] = (~same.any(1) & (before[both] >= 0)).any(1)
        records = np.empty(len(of), TYPES["nearest_cells"])
        records["bound"], records["cells"], records["distances"] = bound, cells, distances
        self._made.append("nearest_cells", records)

    def _arrivals(self, moved: Bools) -> Arrivals:
        if not self._earlier.known:
            return Arrivals(np.empty(0, np.int64), np.empty(0, np.int64))
        query, cell = np.concatenate(self._entered, axis=1)
        return arrivals(self._described, self._earlier.bounds, self._searched, (query, cell), self._cells, moved)

    def _searched(self, first: int, last: int) -> Int32s:
        """The cells that the queries `first` to `last` search, int32 [Q, S], -1 where there are fewer."""
        return np.asarray(self._made.read("nearest_cells", first, last)["cells"][:, : self._searches])

    def _part(self, start: int, end: int, moved: Bools, came: Arrivals, index: CellIndex) -> Part:
        """The neighbours of the queries of some rows; lists are touched where something in them or near them changed."""
        queries, of = self._described.queries(start, end)
        first, last = int(self._starts[start]), int(self._starts[end])
        searched, bound = self._searched(first, last), self._earlier.bounds[first:last].astype(np.int64)
        keys, left, changed = self._earlier.neighbours(first, last)
        before = keys.copy()
        # Rows that moved, and rows in cells that are searched no more.
        rows = rows_of(keys)
        suspect = (rows >= 0) & (moved[rows] | self._left_cells[first:last, None])
        query, rank = np.nonzero(suspect)
        out = (searched[query] != self._cells[rows[query, rank], None]).all(1)
        keys[query[out], rank[out]] = NONE
        changed[query[out]] = True
        changed |= (not self._earlier.in_order) | ((keys[:, CROWD] != NONE) & (keys[:, CROWD] >> 32 > bound))
        arrived = came.of(first, last)
        new = ~(keys[arrived.queries] == arrived.keys[:, None]).any(1)
        changed[arrived.queries[new]] = True
        known = bound >= 0
        some = np.flatnonzero(changed & known)
        found = Nearest(keys, bound)
        renewed = merged([found.of(some), _lists(arrived.queries[new], arrived.keys[new], some)], LISTED)
        found.keys[some], found.bound[some] = renewed.keys, renewed.bound
        lacking = np.flatnonzero(~known | found.lacks(CROWD + 1))
        cells = searched[lacking].astype(np.int64)
        fresh = index.search(queries[lacking], cells, LISTED)
        for position in np.flatnonzero(fresh.lacks(CROWD + 1)):
            fresh.keys[position, : CROWD + 1] = index.keys_in(queries[lacking[position]], cells[position], CROWD + 1)
        found.keys[lacking], found.bound[lacking] = fresh.keys, fresh.bound
        touched = np.union1d(some, lacking)
        left[touched] = _carried(found.keys[touched], before[touched], left[touched])
        return Part(queries, of, np.diff(of, prepend=-1) > 0, found, left)


def cell_count(pictures: int) -> int:
    """A power of two near four times the root of the pictures."""
    return int(2 ** round(np.log2(4 * np.sqrt(pictures))))


def lowest(described: Described, count: int) -> Int64s:
    """The rows whose descriptors have the lowest hashes, in order; of rows with equal numbers the first one.

    The middles of the cells: nothing is trained, and of 1,024 middles 1% new images replace some ten. With rows evenly spaced,
    600 images added to CIFAR-10 changed 17 of the 880 groups of the others.
    """
    odd = np.random.default_rng(0).integers(0, 2**62, LENGTH, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys, rows = np.empty(0, np.uint64), np.empty(0, np.int64)
    for start in range(0, len(described), PIECE):
        part = described.descriptors(slice(start, start + PIECE)).astype(np.int64).view(np.uint64)
        keys = np.concatenate([keys, (part * odd).sum(1)])
        rows = np.concatenate([rows, np.arange(start, start + len(part))])
        keys, first = np.unique(keys, return_index=True)
        least = np.argsort(uniform_per_image(keys, "cells"), kind="stable")[:count]
        # In the order of rows, so that of equal ones the first stays.
        least = least[np.argsort(rows[first[least]])]
        keys, rows = keys[least], rows[first[least]]
    return rows


def _lists(queries: Int64s, keys: Int64s, some: Int64s) -> Nearest:
    """A list for each of `some` queries, of its lowest keys: one more than there is room for is enough. They are in order."""
    firsts = np.searchsorted(queries, queries)
    rank = np.arange(len(queries)) - firsts
    listed = rank <= LISTED
    found = none_nearest(len(some), int(rank[listed].max(initial=-1)) + 1, ALL)
    found.keys[np.searchsorted(some, queries[listed]), rank[listed]] = keys[listed]
    return found


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
