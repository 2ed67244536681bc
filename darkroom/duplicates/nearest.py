"""The nearest rows of many queries, exactly: which rows tie is never left to the order of a search, so lists can be merged."""

from dataclasses import dataclass

import faiss
import numpy as np
from faiss.contrib.ivf_tools import add_preassigned, search_preassigned

from darkroom.duplicates.described import Described
from darkroom.duplicates.descriptors import LENGTH
from darkroom.runtime.arrays import Bools, Float32s, Int16s, Int32s, Int64s

# What is behind the last row of a list, and the bound of a list that has all rows; distances are below 2^23.
NONE, ALL = np.iinfo(np.int64).max, np.int64(2**30)
# Eight numbers at a time is what faiss is fast with.
PADDING = -LENGTH % 8
# Points at a time that are put into cells.
PIECE = 2**16


@dataclass(frozen=True)
class Nearest:
    """The nearest rows of each query.

    Attributes:
        keys: int64 [Q, K], ascending: squared distance times 2^32 plus row, so equally near rows are in the order of rows;
            `NONE` behind the last.
        bound: int64 [Q], all rows up to this squared distance are listed. Rows behind it are the nearest others, by the order
            of keys, and are listed where too many rows are equally near for a bound.
    """

    keys: Int64s
    bound: Int64s

    @property
    def rows(self) -> Int64s:
        """int64 [Q, K], -1 where there is none."""
        return rows_of(self.keys)

    @property
    def distances(self) -> Int64s:
        """Squared, int64 [Q, K], beyond all distances where there is no row."""
        return self.keys >> 32

    def of(self, queries: Int64s | Bools | slice) -> "Nearest":
        return Nearest(self.keys[queries], self.bound[queries])

    def lacks(self, count: int) -> Bools:
        """Which lists have fewer than `count` rows, though there are others: bool [Q]."""
        return np.asarray((self.bound < ALL) & (self.keys[:, count - 1] == NONE))


def rows_of(keys: Int64s) -> Int64s:
    """The rows in keys, -1 where there is none."""
    return np.where(keys == NONE, -1, keys & 0xFFFFFFFF)


def none_nearest(queries: int, length: int, bound: np.int64) -> Nearest:
    """Lists without a row."""
    return Nearest(np.full((queries, length), NONE), np.full(queries, bound))


def merged(lists: list[Nearest], length: int) -> Nearest:
    """The nearest rows of disjoint sets of rows, `length` of them at most, as far as all lists are complete.

    A list ends before the distance at which it would have more rows than there is room for.
    """
    bound = np.minimum.reduce([each.bound for each in lists])
    keys = np.concatenate([each.keys for each in lists], axis=1)
    keys[keys >> 32 > bound[:, None]] = NONE
    keys.sort(axis=1)
    if keys.shape[1] <= length:
        keys = np.pad(keys, ((0, 0), (0, length - keys.shape[1])), constant_values=NONE)
        return Nearest(keys, bound)
    first = keys[:, length] >> 32
    keys = keys[:, :length]
    keys[keys >> 32 >= first[:, None]] = NONE
    return Nearest(keys, np.where(first > ALL, bound, np.minimum(bound, first - 1)))


def _found(distances: Float32s, rows: Int64s, of: Int64s | None, length: int) -> Nearest:
    """What faiss found, where one more was asked for than `length`; `of` has the row of each of its numbers, if another."""
    there = rows >= 0
    keys = np.full(rows.shape, NONE)
    # Whole numbers below 2^24, which float32 has exactly.
    keys[there] = (distances[there].astype(np.int64) << 32) | (rows if of is None else of[rows])[there]
    return merged([Nearest(keys, np.full(len(keys), ALL))], length)


def padded(points: Float32s | Int16s) -> Float32s:
    return np.pad(np.asarray(points, np.float32), ((0, 0), (0, PADDING)))


def nearest_points(queries: Float32s, points: Float32s, rows: Int64s, length: int, least: int) -> Nearest:
    """The nearest of a few points, by comparing with all of them.

    Args:
        queries: float32 [Q, 27] of whole numbers.
        points: float32 [M, 27] of whole numbers.
        rows: of the points, int64 [M].
        length: of the lists.
        least: rows that every list has, where there are as many.
    """
    if not (len(queries) and len(points)):
        return none_nearest(len(queries), length, ALL)
    flat = faiss.IndexFlatL2(LENGTH + PADDING)
    flat.add(padded(points))
    distances, found_rows = flat.search(padded(queries), min(length, len(points)) + 1)
    found = _found(distances, found_rows, rows, length)
    for query in np.flatnonzero(found.lacks(least)) if least else ():
        found.keys[query, :least] = _nearest_keys(queries[query], points, rows, least)
    return found


def _nearest_keys(query: Float32s, points: Float32s | Int16s, rows: Int64s, count: int) -> Int64s:
    """The lowest keys, [count], `NONE` where there are fewer."""
    distances = np.square(points - query).sum(1).astype(np.int64)
    keys = np.sort((distances << 32) | rows)[:count]
    return np.pad(keys, (0, count - len(keys)), constant_values=NONE)


class CellIndex:
    """Points in cells, of which a query's nearest few are searched."""

    def __init__(self, described: Described, cells: Int32s, count: int) -> None:
        """Args:
        described: pictures, whose descriptors are the points.
        cells: of the points, int32 [N], below `count`.
        count: of cells.
        """
        self._described = described
        self._order = np.argsort(cells, kind="stable").astype(np.int32)
        self._starts = np.searchsorted(cells[self._order], np.arange(count + 1))
        size = LENGTH + PADDING
        self._quantizer = faiss.IndexFlatL2(size)
        self._index = faiss.IndexIVFScalarQuantizer(
            self._quantizer, size, count, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
        )
        self._index.is_trained = True
        for start in range(0, len(cells), PIECE):
            part = slice(start, start + PIECE)
            add_preassigned(self._index, padded(described.descriptors(part)), cells[part].astype(np.int64))

    def search(self, queries: Float32s, cells: Int64s, length: int) -> Nearest:
        """The nearest rows in some cells of each query.

        Args:
            queries: float32 [Q, 27] of whole numbers.
            cells: int64 [Q, L], -1 for none.
            length: of the lists.
        """
        if not len(queries):
            return none_nearest(0, length, ALL)
        self._index.nprobe = cells.shape[1]
        cells = np.ascontiguousarray(cells)
        distances, rows = search_preassigned(self._index, padded(queries), length + 1, cells)
        return _found(distances, rows, None, length)

    def keys_in(self, query: Float32s, cells: Int64s, count: int) -> Int64s:
        """The lowest keys in some cells of one query, [count], where too many are equally near for `search`."""
        inside = np.concatenate(
            [self._order[self._starts[cell] : self._starts[cell + 1]] for cell in cells if cell >= 0]
        )
        return _nearest_keys(query, self._described.descriptors(inside), inside, count)
