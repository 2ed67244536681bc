"""Pairs that may be near-copies: nearest neighbours of descriptors, found with faiss and filtered by tangent distance."""

from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np

from darkroom.duplicates.cells import CellSearch
from darkroom.duplicates.described import Described, ReadThumbnails
from darkroom.duplicates.descriptors import BATCH, SCALE, tangents
from darkroom.duplicates.earlier import CROWD, LOOKED_AT
from darkroom.duplicates.nearest import padded
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.files import whole_folder

# Up to this many pictures are compared with all; more are divided into cells, of which the nearest few are searched.
EXACT = 8_192
# Squared distance of descriptors, tangent distance, and its share of the distance of the crowd, at most. Of CIFAR-10's crops
# 99% have at most 0.16, 0.03 and 0.1; of those that lost 3 pixels of 32 on two sides 95% have at most 0.31, 0.08 and 0.28.
FARTHEST, MOST_TANGENT, MOST_OF_CROWD = 0.5, 0.12, 0.25
# Where the crowd is closer than this the share falls with its distance, and with it the crops that are found: in Fashion-MNIST,
# where it is at 0.03, a sixth of the pairs is left to confirm, and 34% of the crops are found in place of 38%.
CLOSE = 0.06
# What differs by less is passed however close the crowd is: frames of a fixed camera.
NEARLY_EQUAL_TANGENT = 0.001


def candidates(read: ReadThumbnails, described: Described, cache: Path, identity: str) -> tuple[Int64s, Float32s]:
    """Pairs of near neighbours, each once, whose tangent distance is small.

    Args:
        read: the thumbnails.
        described: pictures, none of them flat.
        cache: the folder for neighbours, where they are many; it need not exist.
        identity: of what decides descriptors and neighbours.

    Returns:
        Rows, int64 [P, 2], the smaller first, and the distance of the crowd of each picture, float32 [N], infinite where there
        are too few pictures for a crowd.
    """
    crowd = np.full(len(described), np.inf, np.float32)
    if len(described) < 2:
        return np.empty((0, 2), np.int64), crowd
    pairs, left = [], []
    for one, other, found in _near(read, described, crowd, cache, identity):
        # What is too far for one's own crowd need not wait for the other's.
        likely = found <= _most_tangent(crowd[one])
        pairs.append(np.stack([one[likely], other[likely]], 1))
        left.append(found[likely])
    near = np.concatenate(pairs)
    most = _most_tangent(np.minimum(crowd[near[:, 0]], crowd[near[:, 1]]))
    return np.unique(np.sort(near[np.concatenate(left) <= most], axis=1), axis=0), crowd


def _most_tangent(crowd: Float32s) -> Float32s:
    """The largest tangent distance of a pair of whose crowds the nearer is at this distance; it does not fall with it."""
    return np.asarray(np.maximum(MOST_OF_CROWD * crowd * np.minimum(crowd / CLOSE, 1), NEARLY_EQUAL_TANGENT))


def _near(
    read: ReadThumbnails, described: Described, crowd: Float32s, cache: Path, identity: str
) -> Iterator[tuple[Int64s, Int64s, Float32s]]:
    """Pairs that are not too far, and their tangent distances; fills `crowd`."""
    if len(described) <= EXACT:
        yield from _compare_all(read, described, crowd)
        return
    with whole_folder(cache) as made:
        search = CellSearch(described, cache, made, identity)
        for part in search.parts():
            # In a cell with few pictures there may be fewer neighbours than asked for.
            some = part.nearest.keys[part.itself, CROWD] >> 32
            there = part.nearest.rows[:, CROWD][part.itself] >= 0
            crowd[part.of[part.itself][there]] = some[there].astype(np.float32) / SCALE**2
            rows, distances = (each[:, : LOOKED_AT + 1] for each in (part.nearest.rows, part.nearest.distances))
            left = part.left.copy()
            yield _measured(read, described, part.queries, part.of, rows, distances, left)
            search.keep(part, left)
        search.seal()


def _compare_all(
    read: ReadThumbnails, described: Described, crowd: Float32s
) -> Iterator[tuple[Int64s, Int64s, Float32s]]:
    queries, of = described.queries(0, len(described))
    flat = faiss.IndexFlatL2(padded(queries[:1]).shape[1])
    flat.add(padded(described.descriptors(slice(None))))
    distances, rows = flat.search(padded(queries), min(CROWD + 1, len(described)))
    if len(described) > CROWD:  # among a few pictures there is no crowd
        crowd[:] = distances[np.diff(of, prepend=-1) > 0, -1] / SCALE**2
    near = slice(LOOKED_AT + 1)
    left = np.full(rows[:, near].shape, np.nan, np.float32)
    yield _measured(read, described, queries, of, rows[:, near], distances[:, near], left)


def _measured(
    read: ReadThumbnails,
    described: Described,
    queries: Float32s,
    of: Int64s,
    rows: Int64s,
    distances: Float32s | Int64s,
    left: Float32s,
) -> tuple[Int64s, Int64s, Float32s]:
    """The pairs of some queries and their neighbours, [Q, 13], whose tangent distance is small, and that distance.

    `left` has the distances that are known, and NaN for others, which are filled in where they are asked for.
    """
    near = (rows >= 0) & (rows != of[:, None]) & (distances <= FARTHEST * SCALE**2)
    query, rank = np.nonzero(near & np.isnan(left))
    for start, end in _runs(of[query]):
        part = slice(start, end)
        pictures, place = np.unique(of[query[part]], return_inverse=True)
        directions = tangents(read(pictures))[place]
        apart = (queries[query[part]] - described.descriptors(rows[query[part], rank[part]])) / np.float32(SCALE)
        along = (apart[:, None] * directions).sum(2)
        left[query[part], rank[part]] = (apart * apart).sum(1) - (along * along).sum(1)
    query, rank = np.nonzero(near & (left <= MOST_TANGENT))
    return of[query], rows[query, rank], left[query, rank]


def _runs(of: Int64s) -> Iterator[tuple[int, int]]:
    """Parts of a sorted list that have `BATCH` different numbers at most."""
    firsts = np.flatnonzero(np.diff(of, prepend=-1))
    ends = [*firsts[BATCH::BATCH].tolist(), len(of)] if len(of) else []
    yield from zip([0, *ends[:-1]], ends, strict=False)
