"""What near-copies are looked for by, a few numbers of each image, cached by id."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from darkroom.duplicates.descriptors import BATCH, LENGTH, SCALE, SIDE, describe, describe_corners
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Bools, Float32s, Int16s, Int64s, UInt8s, UInt64s
from darkroom.runtime.files import whole_folder

# uint8 [n, 32, 32], the thumbnails of rows, int64 [n].
ReadThumbnails = Callable[[Int64s], UInt8s]
# Below this contrast, in grey levels, there is nothing to correlate.
BLANK = 4.0
# A picture of stripes or fine branches moves as far when it is cropped as others are apart, and then its crop is neither among
# its neighbours nor in the cells that are searched. Corner crops that move so far (of CIFAR-10 7%) are looked for themselves:
# of 6,000 crops of CIFAR-10's pictures 9 were missed without them.
FAR_CROP = 0.08
# Rows at a time, of which the thumbnails are in memory.
PIECE = 16 * BATCH
TYPES = {
    "ids": np.dtype("<u8"),
    "hashes": np.dtype("<u8"),
    "flat": np.dtype("?"),
    "far": np.dtype("u1"),
    "points": np.dtype(("<i2", LENGTH)),
}


@dataclass(frozen=True)
class Described:
    """A row for each image, and of each some queries: its descriptor, and behind it those of its corner crops that are far.

    Attributes:
        ids: uint64 [N], each once.
        hashes: uint64 [N], of the thumbnails; of flat ones, of their levels within two.
        flat: bool [N], whether there is nothing to correlate in the thumbnail.
        far: uint8 [N], how many corner crops are far from each picture.
        points: int16 [Q, 27], the queries.
    """

    ids: UInt64s
    hashes: UInt64s
    flat: Bools
    far: UInt8s
    points: Int16s

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def starts(self) -> Int64s:
        """The number of each row's first query, int64 [N + 1]."""
        return np.concatenate([[0], np.cumsum(self.far + np.int64(1))])

    def descriptors(self, rows: Int64s | slice) -> Int16s:
        """Of some rows, int16 [n, 27]."""
        return np.asarray(self.points[self.starts[:-1][rows]])

    def take(self, rows: Int64s) -> "Described":
        """Some rows, in this order."""
        lengths = self.far[rows] + np.int64(1)
        queries = np.repeat(self.starts[rows] - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
        return Described(self.ids[rows], self.hashes[rows], self.flat[rows], self.far[rows], self.points[queries])

    def queries(self, start: int, end: int) -> tuple[Float32s, Int64s]:
        """The queries of rows `start` to `end`, float32 [Q, 27], and the row of each."""
        of = np.repeat(np.arange(start, end), self.far[start:end] + np.int64(1))
        return self.points[self.starts[start] : self.starts[end]].astype(np.float32), of


def describe_images(read: ReadThumbnails, ids: UInt64s, folder: Path, identity: str) -> Described:
    """Describe images, where an earlier run did not.

    Args:
        read: the thumbnails.
        ids: uint64 [N].
        folder: of the cache; it need not exist.
        identity: of what decides thumbnails and descriptors.
    """
    stored = StoredArrays(folder, TYPES)
    known_ids, starts = np.empty(0, np.uint64), np.zeros(1, np.int64)
    if stored.is_whole(identity):
        known_ids = stored.read("ids")
        if np.array_equal(known_ids, ids):
            return _stored(stored)
        starts = np.concatenate([[0], np.cumsum(stored.read("far") + np.int64(1))])
    place = positions(known_ids, ids)
    with whole_folder(folder) as made:
        renewed = StoredArrays(made, TYPES)
        for start in range(0, max(len(ids), 1), PIECE):
            here = place[start : start + PIECE]
            fresh = _describe(read, ids, start + np.flatnonzero(here < 0))
            if (here >= 0).any():
                first, last = int(here[here >= 0].min()), int(here.max()) + 1
                known = _stored(stored, slice(first, last), slice(int(starts[first]), int(starts[last])))
                some = np.where(here >= 0, here - first, len(known) + np.cumsum(here < 0) - 1)
                fresh = _joined([known, fresh]).take(some)
            for name in TYPES:
                renewed.append(name, getattr(fresh, name))
        renewed.seal(identity)
    return _stored(StoredArrays(folder, TYPES))


def _stored(stored: StoredArrays, rows: slice = slice(0, None), queries: slice = slice(0, None)) -> Described:
    parts = {name: queries if name == "points" else rows for name in TYPES}
    return Described(*(stored.read(name, part.start, part.stop) for name, part in parts.items()))


def _joined(parts: list[Described]) -> Described:
    return Described(*(np.concatenate([getattr(part, name) for part in parts]) for name in TYPES))


def positions(known: UInt64s, ids: UInt64s) -> Int64s:
    """The position of each of `ids` in `known`, -1 where it is not there, int64 [N]."""
    order = np.argsort(known)
    place = np.searchsorted(known, ids, sorter=order)
    there = place < len(known)
    place[there] = order[place[there]]
    there[there] = known[place[there]] == ids[there]
    return np.where(there, place, -1)


def _describe(read: ReadThumbnails, ids: UInt64s, rows: Int64s) -> Described:
    """Of a piece."""
    parts = [Described(*(np.empty((0, *kind.shape), kind.base) for kind in TYPES.values()))]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        thumbnails = read(batch)
        flat = thumbnails.std((1, 2)) < BLANK
        points = np.concatenate([describe(thumbnails)[:, None], describe_corners(thumbnails)], 1)
        far = np.square(points[:, 1:] - points[:, :1]).sum(2) > FAR_CROP * SCALE**2
        far[flat] = False
        asked = np.pad(far, ((0, 0), (1, 0)), constant_values=True)
        parts.append(
            Described(
                ids[batch],
                _hashes(thumbnails, flat),
                flat,
                far.sum(1).astype(np.uint8),
                points[asked].astype(np.int16),
            )
        )
    return _joined(parts)


def _hashes(thumbnails: UInt8s, flat: Bools) -> UInt64s:
    """64 bits of each thumbnail. Shifted first: a multiplication alone never lets high bits act on low ones."""
    levels = np.where(flat[:, None, None], (thumbnails // 2 + 1) // 2, thumbnails)
    words = levels.reshape(len(levels), SIDE * SIDE).view(np.uint64)
    odd = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return np.asarray(((words ^ (words >> np.uint64(29))) * odd).sum(1))
