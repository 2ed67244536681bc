"""Near-copies: re-encoded, resized and slightly cropped versions of the same picture, among a million in a minute.

Candidates are nearest neighbours of a 27-number descriptor, found with faiss and filtered by tangent distance; each remaining
pair is confirmed on pixels, and the more strictly the less is in the pictures. Why so, and what was measured, is in
`docs/decisions/2026-11-23-near-copies.md` and `docs/decisions/2026-11-27-near-copies.md`.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.alignment import REACH
from darkroom.duplicates.candidates import candidates
from darkroom.duplicates.described import BLANK, ReadThumbnails, describe_images
from darkroom.duplicates.evidence import Measures
from darkroom.duplicates.medoids import around_medoids
from darkroom.duplicates.pairs import MeasuredPairs
from darkroom.runtime.arrays import Bools, Float32s, Float64s, Int64s, UInt64s

CROP_OF_ASPECT = -np.log(1 - REACH)
# From this share of the images on that look like another and have too little detail to be called its copy, pictures of the set
# pair by chance. Drawn shapes, letters, spots: 11% to 100%. CIFAR-10, Fashion-MNIST, hands, photographs, with copies planted
# among them: at most 0.4%.
MOST_LOOKALIKES = 0.03
# The code and the packages that decide what is kept from run to run.
CODE = (
    "alignment.py",
    "arrivals.py",
    "candidates.py",
    "cells.py",
    "described.py",
    "descriptors.py",
    "earlier.py",
    "evidence.py",
    "nearest.py",
    "pairs.py",
)
PACKAGES = ("faiss-cpu", "numpy")
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
    read: ReadThumbnails,
    ids: UInt64s,
    width: npt.NDArray[np.int32],
    height: npt.NDArray[np.int32],
    contrast: Float32s,
    cache: Path,
    identity: str,
    *,
    always: bool = False,
) -> NearCopies:
    """Find the rows that show the same picture.

    Nothing is compared with everything. Equal thumbnails count as one picture in all that follows, so that thousands of blank
    ones cost nothing; of each picture's neighbours the nearest dozen are compared, so that of a hundred copies each is
    paired with some others. Nearly blank pictures are paired where they are equal within two grey levels, and pictures whose
    thumbnails are blank though they are not, such as of a sky with stars, are left alone.

    Args:
        read: gives the thumbnails of rows, uint8 [n, 32, 32], grey.
        ids: uint64 [N], each once, by which an image is known in the next run.
        width, height: int32 [N], of the pictures themselves, in pixels.
        contrast: float32 [N], of the pictures themselves, in [0, 1].
        cache: the folder for what is kept for the next run; it need not exist.
        identity: what decides the thumbnails and sizes of ids.
        always: look for changed copies also where many pictures pair by chance.
    """
    identity = f"{identity} {own_identity()}"
    aspect, sides = np.log(width / height), np.minimum(width, height)
    described = describe_images(read, ids, cache / "described", identity)
    rows = np.flatnonzero(~described.flat | (contrast * 255 < BLANK))
    equal, firsts = _equal(described.hashes[rows], aspect[rows])
    firsts = rows[firsts]
    compared = np.sort(firsts[~described.flat[firsts]])
    if len(compared) < len(ids):
        described = described.take(compared)
    pairs, crowd = candidates(lambda some: read(compared[some]), described, cache / "neighbours", identity)
    one, other = compared[pairs].T
    # A crop can change the aspect by as much as it takes away, and by the pixel to which it was rounded.
    shortest = np.minimum(sides[one], sides[other])
    pairs = pairs[np.abs(aspect[one] - aspect[other]) <= CROP_OF_ASPECT + 1 / shortest]
    measured = MeasuredPairs(
        lambda some: read(compared[some]), ids[compared], sides[compared], cache / "pairs", identity
    )
    near, lookalikes, equal_alone = _confirmed(measured, sides[compared], crowd, pairs, len(ids), always)
    measured.keep()
    listed = np.sort(np.concatenate([rows[equal], compared[near]]), axis=1)
    return NearCopies(np.unique(listed, axis=0), lookalikes, equal_alone)


def own_identity() -> str:
    """What decides which pictures are near: the code of this room and the packages."""
    digest = hashlib.sha256()
    for file in CODE:
        digest.update((Path(__file__).parent / file).read_bytes())
    return " ".join([digest.hexdigest(), *(f"{package}=={version(package)}" for package in PACKAGES)])


def _confirmed(
    measured: MeasuredPairs,
    sides: npt.NDArray[np.int32],
    crowd: Float32s,
    pairs: Int64s,
    images: int,
    always: bool,
) -> tuple[Int64s, int, bool]:
    """Medoids and members of the sets of copies; images that pair by chance, and whether these are many."""

    def copies_of(one: Int64s, other: Int64s, measures: Measures, slack: float, strict: bool) -> tuple[Bools, Bools]:
        """Whether pairs are copies; and whether they look alike and have too little detail to be called so."""
        by_levels, by_move = measures.nearly_equal(slack)
        shortest, nearer = (np.minimum(each[one], each[other]) for each in (sides, crowd))
        lacking, evidence = measures.compare(shortest, nearer, slack)
        # Pictures full of detail are copies even where all others pair by chance.
        enough = evidence == 1 if strict else lacking <= evidence
        copies = (lacking <= 1) & (enough | by_move)
        return (copies if strict else copies | by_levels), (lacking <= 1) & (lacking > evidence) & ~by_levels & ~by_move

    one, other = pairs.T
    measures = measured.of(one, other)
    copies, unclear = copies_of(one, other, measures, 1.0, False)
    lookalikes = len(np.unique(pairs[unclear]))
    # Where most pairs have enough detail, as with several changed copies of each photograph, they are not called chance.
    many = lookalikes > MOST_LOOKALIKES * images and 2 * unclear.sum() > (copies | unclear).sum()
    strict = bool(many) and not always
    if strict:
        copies, _ = copies_of(one, other, measures, 1.0, True)

    def near(one: Int64s, other: Int64s) -> Bools:
        return copies_of(one, other, measured.of(one, other), SLACK_OF_SETS, strict)[0]

    measured.expect(pairs[copies])
    return around_medoids(pairs[copies], near), lookalikes, strict


def _equal(hashes: UInt64s, aspect: Float64s) -> tuple[Int64s, Int64s]:
    """Neighbours in runs of equal thumbnails, and the first row of each run. Blank ones are equal within two grey levels."""
    order = np.lexsort((np.arange(len(hashes)), aspect, hashes))
    one, other = order[:-1], order[1:]
    alike = (hashes[one] == hashes[other]) & (aspect[other] - aspect[one] <= CROP_OF_ASPECT)
    return np.stack([one[alike], other[alike]], 1), order[np.concatenate([[True], ~alike])[: len(order)]]
