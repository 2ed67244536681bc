"""Near-copies: re-encoded, resized and slightly cropped versions of the same picture, among a million in a minute.

Candidates are nearest neighbours of a 27-number descriptor, found with faiss and sieved by tangent distance; each pair that is
left is confirmed on pixels. Why so, and what was measured, is in `docs/decisions/2026-11-23-near-copies.md`.
"""

import faiss
import numpy as np
import numpy.typing as npt
from faiss.contrib.ivf_tools import add_preassigned, search_preassigned

from darkroom.images.alignment import REACH, likeness
from darkroom.images.descriptors import LENGTH, SCALE, SIDE, describe, tangents

Pairs = npt.NDArray[np.int64]
Thumbnails = npt.NDArray[np.uint8]

# Neighbours looked at for each picture, and the rank whose distance tells how crowded it is around the picture: pictures that
# all look alike have near neighbours without being copies. A set of up to 16 copies of one picture is no crowd.
LOOKED_AT, CROWD = 12, 16
# Up to this many pictures are compared with all; more are divided into cells, of which the nearest few are searched.
EXACT, CELLS_SEARCHED = 8_192, 12
# Squared distance of descriptors, tangent distance, and its share of the distance of the crowd, at most. Of CIFAR-10's crops
# 99% have at most 0.16, 0.03 and 0.1; of those that lost 3 pixels of 32 on two sides 95% have at most 0.31, 0.08 and 0.28.
FARTHEST, MOST_TANGENT, MOST_OF_CROWD = 0.5, 0.12, 0.25
# Where the crowd is closer than this the share falls with its distance, and with it the crops that are found: in Fashion-MNIST,
# where it is at 0.03, a sixth of the pairs is left to confirm, and 34% of the crops are found in place of 38%.
CLOSE = 0.06
# What a confirmed pair has. Measured on planted copies (half of the size, JPEG quality 40, 8% cropped) and on pictures that
# only look alike: 98% of copies reach 0.87 in detail; hands in the same pose reach 0.85, frames of white 0.88 (but little in
# the middle), a red and a black car of one catalogue 0.85.
LEAST_WHOLE, LEAST_DETAIL, LEAST_MIDDLE = 0.95, 0.87, 0.8
# And what detail lacks to 1 is at most this share of the crowd's distance: where all trousers agree to 0.98, copies must agree
# better. Of Fashion-MNIST's 70,000 this leaves some 400 pairs, each the same garment; without it, 60,000.
MOST_LACKING = 0.85
# However crowded: pictures that differ by so few grey levels, and by so small a share of their contrast, are one picture
# (frames of a camera that stands still). Of Fashion-MNIST's 70,000, 18 pairs are so near.
NEARLY_EQUAL, NEARLY_EQUAL_SHARE, NEARLY_EQUAL_TANGENT = 2.0, 0.05, 0.001
# Below this contrast, in grey levels, there is nothing to correlate.
BLANK = 4.0
CROP_OF_ASPECT = -np.log(1 - REACH)
# Below this side a picture has too few pixels for evidence, and must be nearly equal.
TINY = 16
# Rows and pairs at a time: what is worked on stays in the processor's cache.
BATCH, PAIRS = 1024, 128


def near_pairs(
    thumbnails: Thumbnails,
    width: npt.NDArray[np.int32],
    height: npt.NDArray[np.int32],
    contrast: npt.NDArray[np.float32],
) -> Pairs:
    """Pairs of rows that show the same picture; rows joined through others are not listed with each other.

    Nothing is compared with everything. Equal thumbnails count as one picture in all that follows, so that thousands of blank
    ones cost nothing; of each picture's neighbours the nearest `LOOKED_AT` are compared, so that of a hundred copies each is
    paired with some others. Nearly blank pictures are paired where they are equal within two grey levels, and pictures whose
    thumbnails are blank though they are not, such as of a sky with stars, are left alone.

    Args:
        thumbnails: uint8 [N, 32, 32], grey, as `darkroom.images.thumbnails` makes them.
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
    pairs, crowd = _candidates(thumbnails[compared])
    one, other = compared[pairs.T]
    shortest = np.minimum(sides[one], sides[other])
    # A crop can change the aspect by as much as it takes away, and by the pixel to which it was rounded.
    fits = np.abs(aspect[one] - aspect[other]) <= CROP_OF_ASPECT + 1 / shortest
    one, other, shortest, crowd = one[fits], other[fits], shortest[fits], crowd[fits]
    same = np.zeros(len(one), np.bool_)
    for part in (slice(start, start + PAIRS) for start in range(0, len(one), PAIRS)):
        same[part] = _confirmed(thumbnails[one[part]], thumbnails[other[part]], shortest[part], crowd[part])
    near = np.stack([one[same], other[same]], 1)
    found: Pairs = np.unique(np.sort(np.concatenate([rows[equal], near]), axis=1), axis=0)
    return found


def _deviation(thumbnails: Thumbnails) -> npt.NDArray[np.float32]:
    found = np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), BATCH):
        found[start : start + BATCH] = thumbnails[start : start + BATCH].std((1, 2))
    return found


def _equal(
    thumbnails: Thumbnails, blank: npt.NDArray[np.bool_], aspect: npt.NDArray[np.float64]
) -> tuple[Pairs, npt.NDArray[np.int64]]:
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


def _hashes(words: npt.NDArray[np.uint64], odd: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """64 bits of each row. Shifted first: a multiplication alone never lets high bits act on low ones."""
    found = np.empty(len(words), np.uint64)
    for start in range(0, len(words), BATCH):
        part = words[start : start + BATCH]
        found[start : start + BATCH] = ((part ^ (part >> np.uint64(29))) * odd).sum(1)
    return found


def _candidates(thumbnails: Thumbnails) -> tuple[Pairs, npt.NDArray[np.float32]]:
    """Pairs of near neighbours, each once, whose tangent distance is small, and the smaller distance of their two crowds."""
    found = describe(thumbnails)
    if len(found) < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    distances, neighbours = _neighbours(found, min(CROWD + 1, len(found)))
    # Among a few pictures nobody can tell what is crowded.
    crowd = distances[:, -1] / SCALE**2 if len(found) > CROWD else np.full(len(found), np.inf, np.float32)
    looked_at = neighbours[:, : LOOKED_AT + 1]
    one = np.repeat(np.arange(len(found)), looked_at.shape[1])
    other = looked_at.ravel()
    # In a cell with few pictures there may be fewer neighbours than asked for.
    there = (other >= 0) & (other != one) & (distances[:, : LOOKED_AT + 1].ravel() <= FARTHEST * SCALE**2)
    pairs = np.stack([np.minimum(one, other)[there], np.maximum(one, other)[there]], 1)
    codes = np.sort(pairs[:, 0] * len(found) + pairs[:, 1])
    codes = codes[np.diff(codes, prepend=-1) > 0]
    pairs = np.stack([codes // len(found), codes % len(found)], 1)
    crowd = np.minimum(crowd[pairs[:, 0]], crowd[pairs[:, 1]])
    kept = []
    # Pairs are sorted by their first row, so that the directions of each row are worked out once.
    for start in range(0, len(found), BATCH):
        low, high = np.searchsorted(pairs[:, 0], [start, start + BATCH])
        directions = tangents(thumbnails[start : start + BATCH])
        part = pairs[low:high]
        apart = (found[part[:, 0]] - found[part[:, 1]]) / SCALE
        along = np.einsum("nkc,nc->nk", directions[part[:, 0] - start], apart)
        left = (apart * apart).sum(1) - (along * along).sum(1)
        near = crowd[low:high]
        most = np.maximum(MOST_OF_CROWD * near * np.minimum(near / CLOSE, 1), NEARLY_EQUAL_TANGENT)
        kept.append(left <= np.minimum(most, MOST_TANGENT))
    passed = np.concatenate(kept)
    return pairs[passed], crowd[passed]


def _neighbours(found: npt.NDArray[np.float32], count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Squared distances and rows of the nearest, nearest first, [N, count]; -1 where a row has fewer."""
    # Eight numbers at a time is what faiss is fast with.
    padded = np.pad(found, ((0, 0), (0, -LENGTH % 8)))
    flat = faiss.IndexFlatL2(padded.shape[1])
    if len(found) <= EXACT:
        flat.add(padded)
        distances, neighbours = flat.search(padded, count)
        return distances, neighbours
    # The middles of the cells are rows of the table, evenly spaced: nothing is trained, so nothing rests on chance.
    cells = int(4 * np.sqrt(len(padded)))
    flat.add(padded[np.linspace(0, len(padded) - 1, cells).astype(np.int64)])
    from_cells, nearest_cells = flat.search(padded, CELLS_SEARCHED)
    index = faiss.IndexIVFScalarQuantizer(
        flat, padded.shape[1], cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
    )
    index.is_trained, index.nprobe = True, CELLS_SEARCHED
    add_preassigned(index, padded, np.ascontiguousarray(nearest_cells[:, 0]))
    distances, neighbours = search_preassigned(index, padded, count, nearest_cells, from_cells)
    return distances, neighbours


def _confirmed(
    first: Thumbnails, second: Thumbnails, side: npt.NDArray[np.int32], crowd: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Whether pixels say that these pairs are copies; `side` is the shortest of each pair."""
    difference = np.sqrt(np.square(first.astype(np.float32) - second).mean((1, 2)))
    contrast = np.minimum(_deviation(first), _deviation(second))
    same: npt.NDArray[np.bool_] = difference <= np.minimum(NEARLY_EQUAL, NEARLY_EQUAL_SHARE * contrast)
    left = np.flatnonzero(~same & (side >= TINY))
    whole, detail, middle = likeness(first[left], second[left], side[left] < SIDE * 3 // 4)
    alike = (whole >= LEAST_WHOLE) & (detail >= LEAST_DETAIL) & (middle >= LEAST_MIDDLE)
    same[left] = alike & (1 - detail <= MOST_LACKING * crowd[left])
    return same
