"""Near-copies: re-encoded, resized and slightly cropped versions of the same picture, among a million in a minute.

Candidates are nearest neighbours of a 27-number descriptor, found with faiss and filtered by tangent distance; each remaining
pair is confirmed on pixels. Why so, and what was measured, is in `docs/decisions/2026-11-23-near-copies.md`.
"""

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.alignment import REACH, similarity
from darkroom.duplicates.candidates import candidates
from darkroom.duplicates.descriptors import SIDE
from darkroom.runtime.arrays import Bools, Float32s, Float64s, Int64s, UInt8s, UInt64s

# What a confirmed pair has. Measured on planted copies (half of the size, JPEG quality 40, 8% cropped) and on pictures that
# only look alike: 98% of copies reach 0.87 in detail; hands in the same pose reach 0.85, frames of white 0.88 (but little in
# the middle), a red and a black car of one catalogue 0.85.
LEAST_WHOLE, LEAST_DETAIL, LEAST_MIDDLE = 0.95, 0.87, 0.8
# And what detail lacks to 1 is at most this share of the crowd's distance: where all trousers agree to 0.98, copies must agree
# better. Of Fashion-MNIST's 70,000 this leaves some 400 pairs, each the same garment; without it, 60,000.
MOST_LACKING = 0.85
# However crowded: pictures that differ by so few grey levels, and by so small a share of their contrast, are one picture
# (frames of a fixed camera). Of Fashion-MNIST's 70,000, 18 pairs are so near.
NEARLY_EQUAL, NEARLY_EQUAL_SHARE = 2.0, 0.05
# Below this contrast, in grey levels, there is nothing to correlate.
BLANK = 4.0
CROP_OF_ASPECT = -np.log(1 - REACH)
# Below this side a picture has too few pixels for evidence, and must be nearly equal.
TINY = 16
# Rows and pairs at a time: what is worked on stays in the processor's cache.
BATCH, PAIRS = 1024, 128


def near_pairs(
    thumbnails: UInt8s,
    width: npt.NDArray[np.int32],
    height: npt.NDArray[np.int32],
    contrast: Float32s,
) -> Int64s:
    """Pairs of rows that show the same picture; rows joined through others are not listed with each other.

    Nothing is compared with everything. Equal thumbnails count as one picture in all that follows, so that thousands of blank
    ones cost nothing; of each picture's neighbours the nearest dozen are compared, so that of a hundred copies each is
    paired with some others. Nearly blank pictures are paired where they are equal within two grey levels, and pictures whose
    thumbnails are blank though they are not, such as of a sky with stars, are left alone.

    Args:
        thumbnails: uint8 [N, 32, 32], grey, as `darkroom.duplicates.descriptors` makes them.
        width, height: int32 [N], of the pictures themselves, in pixels.
        contrast: float32 [N], of the pictures themselves, in [0, 1].

    Returns:
        int64 [P, 2], the smaller row first, sorted, each once.
    """
    aspect, sides = np.log(width / height), np.minimum(width, height)
    flat = _deviation(thumbnails) < BLANK
    rows = np.flatnonzero(~flat | (contrast * 255 < BLANK))
    equal, firsts = _equal(thumbnails[rows], flat[rows], aspect[rows])
    firsts = rows[firsts]
    compared = np.sort(firsts[~flat[firsts]])
    pairs, crowd = candidates(thumbnails[compared])
    one, other = compared[pairs.T]
    shortest = np.minimum(sides[one], sides[other])
    # A crop can change the aspect by as much as it takes away, and by the pixel to which it was rounded.
    fits = np.abs(aspect[one] - aspect[other]) <= CROP_OF_ASPECT + 1 / shortest
    one, other, shortest, crowd = one[fits], other[fits], shortest[fits], crowd[fits]
    same = np.zeros(len(one), np.bool_)
    for part in (slice(start, start + PAIRS) for start in range(0, len(one), PAIRS)):
        same[part] = _confirmed(thumbnails[one[part]], thumbnails[other[part]], shortest[part], crowd[part])
    near = np.stack([one[same], other[same]], 1)
    found: Int64s = np.unique(np.sort(np.concatenate([rows[equal], near]), axis=1), axis=0)
    return found


def _deviation(thumbnails: UInt8s) -> Float32s:
    found = np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), BATCH):
        found[start : start + BATCH] = thumbnails[start : start + BATCH].std((1, 2))
    return found


def _equal(thumbnails: UInt8s, blank: Bools, aspect: Float64s) -> tuple[Int64s, Int64s]:
    """Neighbours in runs of equal thumbnails, and the first row of each run. Blank ones are equal within two grey levels."""
    words, levels = (
        part.reshape(-1, SIDE * SIDE).view(np.uint64) for part in (thumbnails, (thumbnails[blank] // 2 + 1) // 2)
    )
    odd = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = _hashes(words, odd)
    keys[blank] = _hashes(levels, odd)
    order = np.lexsort((np.arange(len(keys)), aspect, keys))
    one, other = order[:-1], order[1:]
    alike = (keys[one] == keys[other]) & (aspect[other] - aspect[one] <= CROP_OF_ASPECT)
    return np.stack([one[alike], other[alike]], 1), order[np.concatenate([[True], ~alike])[: len(order)]]


def _hashes(words: UInt64s, odd: UInt64s) -> UInt64s:
    """64 bits of each row. Shifted first: a multiplication alone never lets high bits act on low ones."""
    found = np.empty(len(words), np.uint64)
    for start in range(0, len(words), BATCH):
        part = words[start : start + BATCH]
        found[start : start + BATCH] = ((part ^ (part >> np.uint64(29))) * odd).sum(1)
    return found


def _confirmed(first: UInt8s, second: UInt8s, side: npt.NDArray[np.int32], crowd: Float32s) -> Bools:
    """Whether these pairs are copies, judged by their pixels; `side` is the shortest of each pair."""
    difference = np.sqrt(np.square(first.astype(np.float32) - second).mean((1, 2)))
    contrast = np.minimum(_deviation(first), _deviation(second))
    same: Bools = difference <= np.minimum(NEARLY_EQUAL, NEARLY_EQUAL_SHARE * contrast)
    left = np.flatnonzero(~same & (side >= TINY))
    whole, detail, middle = similarity(first[left], second[left], side[left] < SIDE * 3 // 4)
    alike = (whole >= LEAST_WHOLE) & (detail >= LEAST_DETAIL) & (middle >= LEAST_MIDDLE)
    same[left] = alike & (1 - detail <= MOST_LACKING * crowd[left])
    return same
