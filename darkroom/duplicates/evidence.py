"""Whether a pair of pictures is a pair of copies, and how much there is in them to tell by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.alignment import detail_of, similarity
from darkroom.duplicates.descriptors import SIDE
from darkroom.runtime.arrays import Bools, Float32s, Int64s, UInt8s

# What a confirmed pair has. Measured on planted copies (half of the size, JPEG quality 40, 8% cropped) and on pictures that
# only look alike: 98% of copies reach 0.87 in detail; hands in the same pose reach 0.85, frames of white 0.88 (but little in
# the middle), a red and a black car of one catalogue 0.85.
LEAST_WHOLE, LEAST_DETAIL, LEAST_MIDDLE = 0.95, 0.87, 0.8
# And what detail lacks to 1 is at most this share of the crowd's distance: where all trousers agree to 0.98, copies must agree
# better. Of Fashion-MNIST's 70,000 this leaves some 400 pairs, each the same garment; without it, 60,000.
MOST_LACKING = 0.85
# However crowded and however little is in them: pictures that differ by so few grey levels, and by so small a share of their
# contrast, are one picture (frames of a fixed camera). Of Fashion-MNIST's 70,000, 18 pairs are so near.
NEARLY_EQUAL, NEARLY_EQUAL_SHARE = 2.0, 0.05
# Where pictures with little detail look alike, they are copies if they differ by less than a move by so many of 32 pixels.
# Sharp drawings differ by more grey levels when they are re-encoded, and other drawings by far more: among 400 to 12,000
# shapes, letters, symbols, hands, garments and pictures of CIFAR-10 the nearest strangers are at 0.21 to 0.8; most JPEGs of
# quality 70 to 95 are below 0.12. Of 16 sets of 600 smooth spots 4 pairs of strangers are nearer than 0.12, 6 than 0.15.
NEARLY_EQUAL_MOVE = 0.12
# Detail is counted in 8 x 8 cells of 4 pixels. A shift and a stretch explain most of what drawn shapes, letters, spots and
# stars differ by: half of them have detail in 15 to 24 cells, 95% in at most 36. Of hands, CIFAR-10 and imagenet-200 half have
# it in 39 to 49, and 95% in at least 32. From none to all of what may lack is a straight line between these two.
CELL = 4
FEW_CELLS, MANY_CELLS = 20.0, 40.0
# Below this side a picture has too few pixels for evidence, and must be nearly equal.
TINY = 16
# Pairs at a time: what is worked on stays in the processor's cache.
PAIRS = 128
# Numbers that are measured of a pair.
VALUES = 7


@dataclass(frozen=True)
class Measures:
    """What was measured of pairs of pictures: all that their pixels say, whatever is around them.

    Attributes:
        values: float32 [P, 7]: the correlation of the whole, of the detail, of the detail in the middle, when one is aligned to
            the other; the cells that have detail, of the one with less; the root mean square of their difference, the contrast
            of the one with less, and how much the one that changes less changes when it is moved by a pixel, in grey levels.
    """

    values: Float32s

    def of(self, pairs: Int64s | Bools) -> "Measures":
        return Measures(self.values[pairs])

    def nearly_equal(self, slack: float) -> tuple[Bools, Bools]:
        """Whether pairs differ by few grey levels; and whether by less than a small part of a pixel's move, bool [P] each.

        Args:
            slack: how many times as much as usual they may differ by.
        """
        difference, contrast, move = self.values[:, 4:].T
        by_levels = difference <= slack * np.minimum(NEARLY_EQUAL, NEARLY_EQUAL_SHARE * contrast)
        return by_levels, difference <= slack * NEARLY_EQUAL_MOVE * move

    def compare(self, shortest: npt.NDArray[np.int32], crowd: Float32s, slack: float) -> tuple[Float32s, Float32s]:
        """What pairs lack when they are aligned, and how much detail there is to tell by.

        Args:
            shortest: int32 [P], the shortest side of both pictures, in pixels.
            crowd: float32 [P], the distance of the nearer crowd.
            slack: how many times as much as usual may lack.

        Returns:
            float32 [P] each: what lacks, of what may lack, infinite where they do not look alike; the evidence, in [0, 1].
            They are copies where they lack no more than the evidence.
        """
        whole, detail, middle, cells = self.values[:, :4].T
        alike = (
            (whole >= 1 - slack * (1 - LEAST_WHOLE))
            & (detail >= 1 - slack * (1 - LEAST_DETAIL))
            & (middle >= 1 - slack * (1 - LEAST_MIDDLE))
            & (shortest >= TINY)
        )
        most = slack * np.minimum(MOST_LACKING * crowd, 1 - LEAST_DETAIL)
        lacking = np.full(len(alike), np.inf, np.float32)
        lacking[alike] = (1 - detail[alike]) / most[alike]
        lacking[1 - detail > most] = np.inf
        return lacking, np.clip((cells - FEW_CELLS) / (MANY_CELLS - FEW_CELLS), 0, 1)


def measure(ones: UInt8s, others: UInt8s, shortest: npt.NDArray[np.int32]) -> Float32s:
    """The values of `Measures` for pairs, float32 [P, 7]. Each pair has the same, whatever is measured beside it.

    Args:
        ones, others: uint8 [P, 32, 32].
        shortest: int32 [P], the shortest side of both pictures, in pixels.
    """
    values = np.empty((len(ones), VALUES), np.float32)
    for start in range(0, len(ones), PAIRS):
        part = slice(start, start + PAIRS)
        correlations = similarity(ones[part], others[part], shortest[part] < SIDE * 3 // 4)
        cells = np.minimum(detailed_cells(ones[part]), detailed_cells(others[part]))
        first, second = ones[part].astype(np.float32), others[part].astype(np.float32)
        difference = np.sqrt(np.square(first - second).mean((1, 2)))
        contrast = np.minimum(first.std((1, 2)), second.std((1, 2)))
        move = np.minimum(_change_of_a_move(first), _change_of_a_move(second))
        values[part] = np.stack([*correlations, cells, difference, contrast, move], 1)
    return values


def _change_of_a_move(pictures: Float32s) -> Float32s:
    """By how many grey levels, as a root of mean squares, pictures [n, 32, 32] change when they are moved by a pixel."""
    across, down = np.diff(pictures, axis=2)[:, :-1], np.diff(pictures, axis=1)[:, :, :-1]
    return np.asarray(np.sqrt((across * across + down * down).mean((1, 2)) / 2))


def detailed_cells(thumbnails: UInt8s) -> Float32s:
    """Over how many of 64 cells the detail is spread: 64 where all have the same, 1 where one has all of it.

    The participation ratio of the cells' contrast: the square of the sum, divided by the sum of squares.

    Args:
        thumbnails: uint8 [n, 32, 32].
    """
    cells = SIDE // CELL
    detail = np.square(detail_of(thumbnails.astype(np.float32)))
    contrast = np.sqrt(detail.reshape(-1, cells, CELL, cells, CELL).sum((2, 4))).reshape(-1, cells * cells)
    return np.asarray(np.square(contrast.sum(1)) / np.maximum(np.square(contrast).sum(1), 1e-6), dtype=np.float32)
