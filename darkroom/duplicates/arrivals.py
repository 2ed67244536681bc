"""Which rows are new in the cells that queries search, and near enough for their lists: by cell, as products of matrices.

A search of each query's cells costs nearly the same however few rows are in them; here a cell's new rows meet all queries that
search it at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.descriptors import LENGTH
from darkroom.duplicates.earlier import LISTED
from darkroom.runtime.arrays import Bools, Float32s, Int16s, Int32s, Int64s

# Queries whose cells are sorted at a time: some 6 million numbers.
PIECE = 2**18
# Squared distances are below this.
FARTHEST = 2**23


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
    points: Int16s,
    bounds: Int32s,
    searched: npt.NDArray[np.unsignedinteger],
    entered: tuple[Int64s, Int64s],
    descriptors: Int16s,
    cells: Int64s,
    moved: Bools,
) -> Arrivals:
    """Rows that came to a cell which a query searches, and rows of a cell that a query came to search.

    Args:
        points: int16 [Q, 27], the queries.
        bounds: int32 [Q], of their lists, -1 for those that are left out.
        searched: unsigned [Q, S], the cells that each searches.
        entered: queries, and a cell that each searches now and did not before, int64 [E] each.
        descriptors: int16 [N, 27], the rows.
        cells: int64 [N], theirs.
        moved: bool [N], which rows are new in their cells.
    """
    queries, keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]

    def meet(
        cell_of_pair: npt.NDArray[np.integer], query_of: Callable[[Int64s], Int64s], first: int, rows: Int64s
    ) -> None:
        """The queries of pairs, numbered from `first`, and those of the rows that are in the pairs' cells."""
        order, starts = _by_cell(cell_of_pair)
        inside, firsts = _by_cell(cells[rows])
        for cell in np.unique(cells[rows]).tolist():
            if cell + 1 < len(starts) and starts[cell] < starts[cell + 1]:
                some = first + query_of(order[starts[cell] : starts[cell + 1]])
                here = rows[inside[firsts[cell] : firsts[cell + 1]]]
                query, row, apart = _within(points[some], bounds[some], descriptors[here])
                queries.append(some[query])
                keys.append((apart << 32) | here[row])

    new, old = np.flatnonzero(moved), np.flatnonzero(~moved)
    for start in range(0, len(points), PIECE):
        part = searched[start : start + PIECE]
        meet(part.reshape(-1), lambda places: places // searched.shape[1], start, new)
    meet(entered[1], entered[0].__getitem__, 0, old)
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


def _by_cell(cells: npt.NDArray[np.integer]) -> tuple[Int64s, Int64s]:
    """Places in the order of their cells, and where each cell begins."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(cells))]) if len(cells) else np.zeros(1, np.int64)
    return np.argsort(cells, kind="stable"), starts
