"""What `select` may choose from, by the sizes of the images and the weights on this machine, before anything is computed."""

import numpy as np
import numpy.typing as npt

from darkroom.network.pretrained_input import LITE0, in_package

# Pixels of the shorter side up to which a network that learns from nothing sees all there is in an image.
SMALL_SIDE = 64
# Networks whose weights are installed with the requirements, the fastest first.
PHOTOGRAPHS = (LITE0,)


def shorter_side(widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32], size: int | str) -> int:
    """The side in pixels that speaks for a set of images: the median of their shorter sides, or the size that is set.

    Args:
        widths, heights: int32 [N], in pixels.
        size: as `preprocess.size`.
    """
    median = int(np.median(np.minimum(widths, heights)))
    return median if isinstance(size, str) else min(median, size)


def backbones() -> list[str]:
    """The pretrained networks whose weights are on this machine, the fastest first."""
    return [name for name in PHOTOGRAPHS if in_package(name)]
