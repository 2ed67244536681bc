"""Classes that are mirror images of each other, such as arrows to the left and to the right, of which flips make one class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from darkroom.images.measure import THUMBNAIL_SIDE, thumbnail
from darkroom.runtime.arrays import Float32s, Images, Int64s, UInt8s
from darkroom.runtime.text import plural

# Pictures that are compared, and the fewest of a class where there are many classes: 4,000 take a second.
MOST, FEWEST_OF_A_CLASS = 4_000, 20
# Pixels of 32 over which slopes are averaged, as 8 x 8 cells.
CELL = 4
# A pair of classes is mirrored where pictures have their nearest neighbour among the mirrored ones of the other class more
# often than among these as they are, beyond chance, and at least so often for each that has it in its own class. Arrows,
# hands and shoes to the left and right, b and d: 0.6 to 1.2. Digits, hands, garments: below 0.03; CIFAR-10's below 0.6, and
# no more often than as they are.
LEAST_SHARE, SIGNIFICANCE = 0.35, 0.001
# Transforms of Albumentations that mirror from left to right.
MIRRORING = ("HorizontalFlip", "Flip", "D4", "SquareSymmetry", "Transpose")
# Pairs of classes that a line of text lists.
LISTED = 3


@dataclass(frozen=True)
class MirroredClasses:
    """Pairs of classes that are mirror images of each other.

    Attributes:
        pairs: their names, and how many of the pictures of both have a mirrored picture of the other class, a picture of their
            own class, or another, as nearest neighbour.
    """

    pairs: tuple[tuple[str, str, int, int, int], ...]

    @property
    def text(self) -> str:
        """The first few as text."""
        texts = [
            f"{one} and {other} are mirror images of each other (of {mirrored + own + rest:,} images {mirrored:,} are nearest "
            f"to a mirrored one of the other class, {own:,} to one of their own)"
            for one, other, mirrored, own, rest in self.pairs[:LISTED]
        ]
        more = len(self.pairs) - LISTED
        return "; ".join(texts) + (f"; and {more:,} more {plural(more, 'pair', 'pairs')}" if more > 0 else "")


def find_mirrored(images: Images, labels: Int64s, names: tuple[str, ...]) -> MirroredClasses:
    """The pairs of classes that flips would make one, by the nearest neighbour of each picture, itself left out.

    Args:
        images: uint8 [N, S, S, C], training images.
        labels: int64 [N].
        names: of the classes.
    """
    rows = _sampled(labels, len(names))
    of = labels[rows]
    grey = np.stack([thumbnail(images[row].mean(2, keepdims=True).round().astype(np.uint8)) for row in rows])
    plain = _slopes(grey)
    near, nearest = _nearest(plain, plain)
    near_mirrored, nearest_mirrored = _nearest(plain, _slopes(grey[:, :, ::-1]))
    is_plain = near >= near_mirrored
    as_they_are, mirrored = np.zeros((2, len(names), len(names)), np.int64)
    np.add.at(as_they_are, (of[is_plain], of[nearest[is_plain]]), 1)
    np.add.at(mirrored, (of[~is_plain], of[nearest_mirrored[~is_plain]]), 1)
    own, images_of = np.diag(as_they_are), np.bincount(of, minlength=len(names))
    one, other = np.triu_indices(len(names), 1)
    between, across = as_they_are[one, other] + as_they_are[other, one], mirrored[one, other] + mirrored[other, one]
    # Here: SciPy takes 0.1 s, and whoever only wants the names of settings imports this module.
    from scipy.special import betainc

    # The probability of so many mirrored ones or more, where mirrored and not are equally near: a sign test.
    p_values = np.where(across > 0, betainc(np.maximum(across, 1), between + 1, 0.5), 1)
    found = (p_values * len(one) < SIGNIFICANCE) & (across >= LEAST_SHARE * (own[one] + own[other]))
    return MirroredClasses(
        tuple(
            (
                names[a],
                names[b],
                int(across[k]),
                int(own[[a, b]].sum()),
                int((images_of - own)[[a, b]].sum() - across[k]),
            )
            for k in np.flatnonzero(found)
            for a, b in [(one[k], other[k])]
        )
    )


def mirrors(albumentations: list[dict[str, Any]]) -> bool:
    """Whether one of the transforms mirrors from left to right."""
    return any(transform.get("name") in MIRRORING for transform in albumentations)


def _sampled(labels: Int64s, classes: int) -> Int64s:
    """Rows, evenly spaced in each class."""
    most = max(FEWEST_OF_A_CLASS, MOST // classes)
    of_classes = [np.flatnonzero(labels == label) for label in range(classes)]
    return np.concatenate([rows[:: -(-len(rows) // most)] if len(rows) else rows for rows in of_classes])


def _slopes(grey: UInt8s) -> Float32s:
    """How steep pictures [n, 32, 32] rise and fall across and down in each cell, float32 [n, 256], of length 1.

    A coarse histogram of gradients (Dalal and Triggs 2005): outlines count, their place only to a cell.
    """
    down, across = np.gradient(grey.astype(np.float32), axis=(1, 2))
    slopes = np.maximum(np.stack([across, -across, down, -down], 1), 0)
    cells = THUMBNAIL_SIDE // CELL
    found = np.sqrt(slopes.reshape(-1, 4, cells, CELL, cells, CELL).mean((3, 5))).reshape(len(grey), -1)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), dtype=np.float32)


def _nearest(pictures: Float32s, others: Float32s) -> tuple[Float32s, Int64s]:
    """The similarity and the number of the most similar of the others, each picture's own left out."""
    near, nearest = np.empty(len(pictures), np.float32), np.empty(len(pictures), np.int64)
    for start in range(0, len(pictures), 1024):
        part = np.arange(start, min(start + 1024, len(pictures)))
        similar = pictures[part] @ others.T
        similar[np.arange(len(part)), part] = -1
        nearest[part] = similar.argmax(1)
        near[part] = similar[np.arange(len(part)), nearest[part]]
    return near, nearest
