"""Near-copies: re-encoded, resized and slightly cropped versions of the same picture, among a million in a minute.

Candidates are nearest neighbours of a 27-number descriptor, found with faiss and filtered by tangent distance; each remaining
pair is confirmed on pixels, and the more strictly the less is in the pictures. Why so, and what was measured, is in
`docs/decisions/2026-11-23-near-copies.md` and `docs/decisions/2026-11-27-near-copies.md`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.alignment import REACH
from darkroom.duplicates.candidates import candidates
from darkroom.duplicates.descriptors import SIDE
from darkroom.duplicates.evidence import BATCH, Pictures, deviation
from darkroom.duplicates.medoids import around_medoids
from darkroom.runtime.arrays import Bools, Float32s, Float64s, Int64s, UInt8s, UInt64s

# Below this contrast, in grey levels, there is nothing to correlate.
BLANK = 4.0
CROP_OF_ASPECT = -np.log(1 - REACH)
# From this share of the images on that look like another and have too little detail to be called its copy, pictures of the set
# pair by chance. Drawn shapes, letters, spots: 11% to 100%. CIFAR-10, Fashion-MNIST, hands, photographs, with copies planted
# among them: at most 0.4%.
MOST_LOOKALIKES = 0.03
# A member of a set of copies may differ from its medoid by so many times what two copies may differ by.
SLACK_OF_SETS = 2.0


@dataclass(frozen=True)
class NearCopies:
    """Attributes:
    pairs: int64 [P, 2], rows that show the same picture, the smaller first, sorted, each once. Rows joined through others are
        not listed with each other.
    lookalikes: how many images look like another and have too little detail to be called its copy.
    equal_alone: whether these are so many that only equal files and nearly equal pixels count.
    """

    pairs: Int64s
    lookalikes: int = 0
    equal_alone: bool = False


def find_near_copies(
    thumbnails: UInt8s,
    width: npt.NDArray[np.int32],
    height: npt.NDArray[np.int32],
    contrast: Float32s,
    *,
    always: bool = False,
) -> NearCopies:
    """Find the rows that show the same picture.

    Nothing is compared with everything. Equal thumbnails count as one picture in all that follows, so that thousands of blank
    ones cost nothing; of each picture's neighbours the nearest dozen are compared, so that of a hundred copies each is
    paired with some others. Nearly blank pictures are paired where they are equal within two grey levels, and pictures whose
    thumbnails are blank though they are not, such as of a sky with stars, are left alone.

    Args:
        thumbnails: uint8 [N, 32, 32], grey, as `darkroom.duplicates.descriptors` makes them.
        width, height: int32 [N], of the pictures themselves, in pixels.
        contrast: float32 [N], of the pictures themselves, in [0, 1].
        always: look for changed copies also where many pictures pair by chance.
    """
    aspect, sides = np.log(width / height), np.minimum(width, height)
    flat = deviation(thumbnails) < BLANK
    rows = np.flatnonzero(~flat | (contrast * 255 < BLANK))
    equal, firsts = _equal(thumbnails[rows], flat[rows], aspect[rows])
    firsts = rows[firsts]
    compared = np.sort(firsts[~flat[firsts]])
    pairs, crowd = candidates(thumbnails[compared])
    pictures = Pictures(thumbnails[compared], sides[compared], crowd)
    one, other = pairs.T
    shortest = np.minimum(pictures.sides[one], pictures.sides[other])
    # A crop can change the aspect by as much as it takes away, and by the pixel to which it was rounded.
    aspects = aspect[compared]
    pairs = pairs[np.abs(aspects[one] - aspects[other]) <= CROP_OF_ASPECT + 1 / shortest]
    near, lookalikes, equal_alone = _confirmed(pictures, pairs, len(thumbnails), always)
    listed = np.sort(np.concatenate([rows[equal], compared[near]]), axis=1)
    return NearCopies(np.unique(listed, axis=0), lookalikes, equal_alone)


def _confirmed(pictures: Pictures, pairs: Int64s, images: int, always: bool) -> tuple[Int64s, int, bool]:
    """Medoids and members of the sets of copies; images that pair by chance, and whether these are many."""

    def copies_of(one: Int64s, other: Int64s, slack: float, strict: bool) -> tuple[Bools, Bools]:
        """Whether pairs are copies; and whether they look alike and have too little detail to be called so."""
        by_levels, by_move = pictures.nearly_equal(one, other, slack)
        lacking, evidence = pictures.compare(one, other, slack)
        # Pictures full of detail are copies even where all others pair by chance.
        enough = evidence == 1 if strict else lacking <= evidence
        copies = (lacking <= 1) & (enough | by_move)
        return (copies if strict else copies | by_levels), (lacking <= 1) & (lacking > evidence) & ~by_levels & ~by_move

    one, other = pairs.T
    copies, unclear = copies_of(one, other, 1.0, False)
    lookalikes = len(np.unique(pairs[unclear]))
    # Where most pairs have enough detail, as with several changed copies of each photograph, they are not called chance.
    many = lookalikes > MOST_LOOKALIKES * images and 2 * unclear.sum() > (copies | unclear).sum()
    strict = bool(many) and not always
    if strict:
        copies, _ = copies_of(one, other, 1.0, True)
    return around_medoids(pairs[copies], lambda a, b: copies_of(a, b, SLACK_OF_SETS, strict)[0]), lookalikes, strict


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
