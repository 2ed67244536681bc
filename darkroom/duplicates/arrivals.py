"""Which rows are new in the cells that queries search, and near enough for their lists: by cell, as products of matrices.

A search of each query's cells costs nearly the same however few rows are in them; here a cell's new rows meet all queries that
search it at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.described import Described
from darkroom.duplicates.descriptors import LENGTH
from darkroom.duplicates.earlier import LISTED
from darkroom.runtime.arrays import Bools, Float32s, Int16s, Int32s, Int64s

# Queries whose cells are sorted at a time: some 6 million numbers.
PIECE = 2**18
# Queries whose stored lists are read at a time.
READ = 2**14
# Squared distances are below this.
FARTHEST = 2**23

Integers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Arrivals:
    """Attributes:
    queries: int64 [H], ascending.
    keys: int64 [H], of rows that are within the bound of the query; a query has the nearest ones of a cell, 21 at least.
    """

    queries: Int64s
    keys: Int64s

    def of(self, start: int, end: int) -> "Arrivals":
        """Those of the queries `start` to `end`, numbered from `start`."""
        part = slice(*np.searchsorted(self.queries, [start, end]))
        return Arrivals(self.queries[part] - start, self.keys[part])


def arrivals(
    described: Described,
    bounds: Int32s,
    searched: Callable[[int, int], Int32s],
    entered: tuple[Int64s, Int64s],
    cells: Int32s,
    moved: Bools,
) -> Arrivals:
    """Rows that came to a cell which a query searches, and rows of a cell that a query came to search.

    Args:
        described: the rows and the queries.
        bounds: int32 [Q], of their lists, -1 for those that are left out.
        searched: gives the cells that the queries from one number to another search, int32 [q, S], -1 for none.
        entered: queries, and a cell that each searches now and did not before, int64 [E] each.
        cells: int32 [N], of the rows.
        moved: bool [N], which rows are new in their cells.
    """
    queries, keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]

    def meet(some: Int64s, searching: Integers, rows: Int64s) -> None:
        """Some queries, and those of the rows that are in the cells which these search, [q, S], numbered from 1; 0 is none."""
        order, starts = _by_cell(searching.reshape(-1))
        inside, firsts = _by_cell(cells[rows] + 1)
        for cell in (np.unique(cells[rows]) + 1).tolist():
            if cell + 1 < len(starts) and starts[cell] < starts[cell + 1]:
                asking = some[order[starts[cell] : starts[cell + 1]] // searching.shape[1]]
                here = rows[inside[firsts[cell] : firsts[cell + 1]]]
                query, row, apart = _within(described.points[asking], bounds[asking], described.descriptors(here))
                queries.append(asking[query])
                keys.append((apart << 32) | here[row])

    new, old = np.flatnonzero(moved), np.flatnonzero(~moved)
    for start in range(0, len(bounds), PIECE):
        end = min(start + PIECE, len(bounds))
        # Numbers of 16 bits are half of those that are read.
        kind = np.min_scalar_type(int(cells.max()) + 1)
        parts = [(searched(first, min(first + READ, end)) + 1).astype(kind) for first in range(start, end, READ)]
        meet(np.arange(start, end), np.concatenate(parts), new)
    meet(entered[0], entered[1][:, None] + 1, old)
    found, found_keys = np.concatenate(queries), np.concatenate(keys)
    order = np.lexsort((found_keys, found))
    return Arrivals(found[order], found_keys[order])


def beyond(points: Float32s | Int16s, bounds: Int32s, others: Float32s | Int16s) -> Float32s:
    """By how much each other point is beyond the bound of each point, in squared distance: float32 [P, O], exact.

    Args:
        points: [P, 27], whole numbers.
        bounds: int32 [P].
        others: [O, 27], whole numbers.
    """
    one, other = np.ones((len(points), LENGTH + 2), np.float32), np.ones((len(others), LENGTH + 2), np.float32)
    one[:, :LENGTH], other[:, :LENGTH] = points, others
    # Whole numbers below 2^24; bounds of lists that have all rows are beyond any distance.
    one[:, LENGTH] = np.einsum("ij,ij->i", one[:, :LENGTH], one[:, :LENGTH]) - np.minimum(bounds, FARTHEST)
    other[:, LENGTH + 1] = np.einsum("ij,ij->i", other[:, :LENGTH], other[:, :LENGTH])
    other[:, :LENGTH] *= -2
    return np.asarray(one @ other.T)


def _within(points: Int16s, bounds: Int32s, rows: Int16s) -> tuple[Int64s, Int64s, Int64s]:
    """Pairs of a point and a row within its bound, and their squared distances; of too many rows the nearest."""
    apart = beyond(points, bounds, rows)
    near = apart <= 0
    if len(rows) > LISTED + 1:
        full = np.flatnonzero(near.sum(1) > LISTED + 1)
        keys = (apart[full].astype(np.int64) << 32) | np.arange(len(rows))
        nearest = np.partition(keys, LISTED, axis=1)[:, : LISTED + 1] & 0xFFFFFFFF
        near[full] = False
        near[full[:, None], nearest] = True
    point, row = np.nonzero(near)
    return point, row, apart[point, row].astype(np.int64) + np.minimum(bounds[point], FARTHEST)


def _by_cell(cells: Integers) -> tuple[Int64s, Int64s]:
    """Places in the order of their cells, and where each cell begins: int64 [n], int64 [largest cell + 2]."""
    keys = np.arange(len(cells))
    # A little at a time, since this is where the search for arrivals needs most memory.
    for start in range(0, len(keys), READ):
        keys[start : start + READ] |= cells[start : start + READ].astype(np.int64) << 32
    keys.sort()
    starts = np.searchsorted(keys, np.arange(int(cells.max(initial=0)) + 2) << 32)
    keys &= 0xFFFFFFFF
    return keys, starts
