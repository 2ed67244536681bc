"""What near-copies are looked for by, a few numbers of each image, cached by id."""

from collections.abc import Callable
from dataclasses import dataclass
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
    "descriptors": np.dtype(("<i2", LENGTH)),
    "far": np.dtype("u1"),
    "crops": np.dtype(("<i2", LENGTH)),
}


@dataclass(frozen=True)
class Described:
    """A row for each image.

    Attributes:
        ids: uint64 [N], each once.
        hashes: uint64 [N], of the thumbnails; of flat ones, of their levels within two.
        flat: bool [N], whether there is nothing to correlate in the thumbnail.
        descriptors: int16 [N, 27].
        far: uint8 [N], how many corner crops are far from each picture.
        crops: int16 [sum of far, 27], the descriptors of these.
    """

    ids: UInt64s
    hashes: UInt64s
    flat: Bools
    descriptors: Int16s
    far: UInt8s
    crops: Int16s

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64s) -> "Described":
        """Some rows, in this order."""
        far = self.far[rows]
        ends = np.cumsum(self.far, dtype=np.int64)
        behind = np.arange(int(far.sum())) - np.repeat(np.cumsum(far, dtype=np.int64) - far, far)
        crops = self.crops[np.repeat(ends[rows] - far, far) + behind]
        return Described(self.ids[rows], self.hashes[rows], self.flat[rows], self.descriptors[rows], far, crops)

    def starts(self) -> Int64s:
        """The number of each row's first query, int64 [N + 1]: a row's own descriptor, and behind it those of its crops."""
        return np.concatenate([[0], np.cumsum(self.far + np.int64(1))])

    def queries(self, start: int, end: int) -> tuple[Float32s, Int64s]:
        """The queries of rows `start` to `end`, float32 [Q, 27], and the row of each."""
        of = np.repeat(np.arange(start, end), self.far[start:end] + np.int64(1))
        found = np.empty((len(of), LENGTH), np.float32)
        itself = np.diff(of, prepend=-1) > 0
        found[itself] = self.descriptors[start:end]
        first = int(self.far[:start].sum(dtype=np.int64))
        found[~itself] = self.crops[first : first + int((~itself).sum())]
        return found, of

    def points(self) -> Int16s:
        """All queries, int16 [Q, 27]."""
        starts = self.starts()
        found = np.empty((int(starts[-1]), LENGTH), np.int16)
        itself = np.zeros(len(found), np.bool_)
        itself[starts[:-1]] = True
        found[itself], found[~itself] = self.descriptors, self.crops
        return found


def describe_images(read: ReadThumbnails, ids: UInt64s, folder: Path, identity: str) -> Described:
    """Describe images, where an earlier run did not.

    Args:
        read: the thumbnails.
        ids: uint64 [N].
        folder: of the cache; it need not exist.
        identity: of what decides thumbnails and descriptors.
    """
    stored = StoredArrays(folder, TYPES)
    known = Described(*(stored.read(name) for name in TYPES)) if stored.is_whole(identity) else _none()
    if np.array_equal(known.ids, ids):
        return known
    place = positions(known.ids, ids)
    new = np.flatnonzero(place < 0)
    parts = [known, *(_describe(read, ids, new[start : start + PIECE]) for start in range(0, len(new), PIECE))]
    place[new] = len(known) + np.arange(len(new))
    joined = Described(*(np.concatenate([getattr(part, name) for part in parts]) for name in TYPES))
    described = joined.take(place)
    with whole_folder(folder) as made:
        renewed = StoredArrays(made, TYPES)
        for name in TYPES:
            renewed.append(name, getattr(described, name))
        renewed.seal(identity)
    return described


def positions(known: UInt64s, ids: UInt64s) -> Int64s:
    """The position of each of `ids` in `known`, -1 where it is not there, int64 [N]."""
    order = np.argsort(known)
    place = np.searchsorted(known, ids, sorter=order)
    there = place < len(known)
    place[there] = order[place[there]]
    there[there] = known[place[there]] == ids[there]
    return np.where(there, place, -1)


def _none() -> Described:
    return Described(*(np.empty((0, *kind.shape), kind.base) for kind in TYPES.values()))


def _describe(read: ReadThumbnails, ids: UInt64s, rows: Int64s) -> Described:
    """Of a piece."""
    parts = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        thumbnails = read(batch)
        flat = thumbnails.std((1, 2)) < BLANK
        found, corners = describe(thumbnails), describe_corners(thumbnails)
        far = np.square(corners - found[:, None]).sum(2) > FAR_CROP * SCALE**2
        far[flat] = False
        parts.append(
            Described(
                ids[batch],
                _hashes(thumbnails, flat),
                flat,
                found.astype(np.int16),
                far.sum(1).astype(np.uint8),
                corners[far].astype(np.int16),
            )
        )
    return Described(*(np.concatenate([getattr(part, name) for part in parts]) for name in TYPES))


def _hashes(thumbnails: UInt8s, flat: Bools) -> UInt64s:
    """64 bits of each thumbnail. Shifted first: a multiplication alone never lets high bits act on low ones."""
    levels = np.where(flat[:, None, None], (thumbnails // 2 + 1) // 2, thumbnails)
    words = levels.reshape(len(levels), SIDE * SIDE).view(np.uint64)
    odd = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return np.asarray(((words ^ (words >> np.uint64(29))) * odd).sum(1))
