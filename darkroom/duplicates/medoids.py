"""Sets of copies around a medoid: what chains through others, and is not near it, is a set of its own."""

from collections.abc import Callable

import numpy as np

from darkroom.runtime.arrays import Bools, Int64s

# Whether pairs of rows are near each other, bool [P] of two int64 [P].
Near = Callable[[Int64s, Int64s], Bools]


def around_medoids(pairs: Int64s, near: Near) -> Int64s:
    """Pairs of a medoid and each member of its set, in place of pairs that chain.

    The picture with the most pairs takes those that it is paired with, then the one with the most of those that are left,
    and so on: the star clusters of Aslam, Pelekhov and Rus 1999, "A practical clustering algorithm for static and dynamic
    information organization". Since a picture is compared with its nearest dozen alone, a set of hundreds is several stars at
    first; the largest takes in those that it is joined to, directly or through others, and whose medoid is near its own.

    Args:
        pairs: int64 [P, 2], rows.
        near: whether two medoids are near enough.

    Returns:
        int64 [Q, 2], a medoid and a member; each row that is in a pair is in one set at most.
    """
    if not len(pairs):
        return pairs
    rows, places = np.unique(pairs, return_inverse=True)
    one, other = places.reshape(-1, 2).T
    star = _stars(one, other, len(rows))
    medoids = _joined(star, one, other, lambda first, second: near(rows[first], rows[second]))
    members = np.flatnonzero(medoids != np.arange(len(rows)))
    return np.stack([rows[medoids[members]], rows[members]], 1)


class _Graph:
    """The neighbours of each number, in order."""

    def __init__(self, one: Int64s, other: Int64s, count: int) -> None:
        from scipy.sparse import coo_matrix  # here, as in `groups`

        both = np.ones(2 * len(one), np.int8)
        graph = coo_matrix((both, (np.concatenate([one, other]), np.concatenate([other, one]))), (count, count)).tocsr()
        graph.sort_indices()
        self._starts, self._neighbours = graph.indptr.tolist(), graph.indices.astype(np.int64)
        self.sizes = np.diff(graph.indptr).astype(np.int64)

    def around(self, number: int) -> Int64s:
        return np.asarray(self._neighbours[self._starts[number] : self._starts[number + 1]])


def _most_first(size: Int64s) -> Int64s:
    """Numbers of those with the largest size first; of equal ones the lowest number."""
    return np.lexsort((np.arange(len(size)), -size))


def _stars(one: Int64s, other: Int64s, count: int) -> Int64s:
    """The medoid of each row's star."""
    graph = _Graph(one, other, count)
    star = np.full(count, -1, np.int64)
    for row in _most_first(graph.sizes).tolist():
        if star[row] < 0:
            around = graph.around(row)
            star[around[star[around] < 0]] = row
            star[row] = row
    return star


def _joined(star: Int64s, one: Int64s, other: Int64s, near: Near) -> Int64s:
    """The medoid of each row's set, when stars that are joined to a larger one, and near it, have become part of it."""
    across = star[one] != star[other]
    if not across.any():
        return star
    links = np.unique(np.sort(np.stack([star[one[across]], star[other[across]]], 1), axis=1), axis=0)
    graph = _Graph(links[:, 0], links[:, 1], len(star))
    taken_by = np.full(len(star), -1, np.int64)
    for medoid in _most_first(np.bincount(star, minlength=len(star))).tolist():
        if star[medoid] != medoid or taken_by[medoid] >= 0:
            continue
        taken_by[medoid] = medoid
        front, visited = graph.around(medoid), {medoid}
        while len(front := front[taken_by[front] < 0]):
            visited.update(front.tolist())
            reached = front[near(np.full(len(front), medoid), front)]
            taken_by[reached] = medoid
            beyond = {row for each in reached.tolist() for row in graph.around(each).tolist()} - visited
            front = np.array(sorted(beyond), np.int64)
    return taken_by[star]
