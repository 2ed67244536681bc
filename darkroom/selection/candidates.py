"""What `select` may choose from, by the sizes of the images and the weights on this machine, before anything is computed."""

from dataclasses import dataclass

import numpy as np

from darkroom.network.pretrained_input import PACKAGES, in_package
from darkroom.runtime.arrays import Int32s

# Pixels of the shorter side up to which a network that learns from nothing sees all there is in an image.
SMALL_SIDE = 64
# With fewer training images than these it learns less than a pretrained network knows, also of small images, if these have so
# many pixels that they show something when they are enlarged (docs/decisions/2026-11-28-selection.md).
MANY_IMAGES, LEAST_ENLARGED = 5_000, 24
# What the last layer may be given; the first is the faster one, since layers behind its maps are left out.
POOLINGS = ("grid", "mean")


@dataclass(frozen=True)
class Candidate:
    """A frozen backbone with its published weights, and what its last layer is given.

    Attributes:
        network: as `train.network`.
        pooling: as `train.pooling`.
    """

    network: str
    pooling: str


def shorter_side(sides: Int32s, size: int | str) -> int:
    """The side in pixels that speaks for a set of images: the median of their shorter sides, or the size that is set.

    Args:
        sides: the shorter side of each image, int32 [N], in pixels.
        size: as `preprocess.size`.
    """
    median = int(np.median(sides))
    return median if isinstance(size, str) else min(median, size)


def learns_from_nothing(side: int, images: int) -> bool:
    """Whether a network without pretrained weights is the one for so many training images of such a side."""
    return side <= SMALL_SIDE and (images >= MANY_IMAGES or side < LEAST_ENLARGED)


def backbones(weights: str) -> list[str]:
    """The pretrained networks that can be had, the one with the fewest multiply-adds first.

    Args:
        weights: as `train.weights`; with `download` those that are not installed are fetched.
    """
    return [name for name in PACKAGES if weights == "download" or in_package(name)]
