"""Which test images the page shows, and of which it shows what the answer came from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.test_split import HeldOut

# Mean heat maps: of so many classes, the weakest first, from so many images in all and of one class.
MAPPED_CLASSES = 30
MAPPED_IMAGES, MAPPED_OF_A_CLASS = 320, 32


@dataclass(frozen=True)
class Choice:
    """Positions in the test arrays.

    Attributes:
        mistakes: named wrongly with the highest confidence, surest first.
        unsure: named correctly with the lowest confidence, least sure first.
        typical: by class, images named after it, rightly or not, evenly spaced: what the mean heat maps are made of.
    """

    mistakes: list[int]
    unsure: list[int]
    typical: dict[int, list[int]]

    def rows(self) -> list[int]:
        """All of them, each once, ascending."""
        return sorted({*self.mistakes, *self.unsure, *(row for rows in self.typical.values() for row in rows)})


def choose_images(found: Evaluation, held_out: HeldOut, gallery: int) -> Choice:
    """Choose the images; among equally sure ones the order of their ids decides.

    Args:
        found: the evaluation.
        held_out: the test images.
        gallery: how many of the surest mistakes and of the least sure correct answers.
    """
    named, sure = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1)
    scores = found.card.scores
    weakest = sorted(np.flatnonzero(scores.named).tolist(), key=lambda k: (scores.f1[k], k))[:MAPPED_CLASSES]
    each = max(1, min(MAPPED_OF_A_CLASS, MAPPED_IMAGES // len(weakest)))
    return Choice(
        mistakes=ordered(np.flatnonzero(~found.right), -sure, held_out.ids)[:gallery],
        unsure=ordered(np.flatnonzero(found.right), sure, held_out.ids)[:gallery],
        typical={k: spaced(np.flatnonzero(named == k), each) for k in weakest},
    )


def ordered(rows: npt.NDArray[np.intp], keys: npt.NDArray[np.float32], ids: list[str]) -> list[int]:
    """Rows by their keys, the lowest first, ids deciding among equals."""
    return sorted(rows.tolist(), key=lambda row: (float(keys[row]), ids[row]))


def spaced(rows: npt.NDArray[np.intp], at_most: int) -> list[int]:
    """At most so many of the rows, evenly spaced."""
    if not len(rows):
        return []
    places = np.unique(np.linspace(0, len(rows) - 1, min(at_most, len(rows))).astype(np.int64))
    return [int(row) for row in rows[places]]
