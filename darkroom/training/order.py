"""The order in which an epoch shows the images."""

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.seeding import uniform_per_image


def epoch_order(keys: UInt64s, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of the images in an epoch, int64 [N].

    Each image draws a number from (seed, epoch, its key) and they are sorted by it, so that an image's place among the
    others does not depend on how many processes or restarts there were.
    """
    return np.argsort(uniform_per_image(keys, "order", seed, epoch), kind="stable")


def even_order(
    labels: npt.NDArray[np.int64], keys: UInt64s, seed: int, epoch: int
) -> tuple[npt.NDArray[np.int64], UInt64s]:
    """As many images as there are, every class equally often (but for one), in the order of an epoch.

    Each class deals its images in `epoch_order`, and begins again when they are all dealt: every image of a rare class comes
    equally often (but for one), and of a common class another part comes in each epoch. Images are dealt by their keys alone,
    as in `epoch_order`.

    Returns:
        int64 [N], which image; and uint64 [N], a key for the chance of each showing: the image's own for its first, another
        for every repetition, so that it is augmented otherwise.
    """
    shuffled = epoch_order(keys, seed, epoch)
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[dealt], return_index=True, return_counts=True)
    turn, which = np.divmod(np.arange(len(labels)), len(counts))
    images = dealt[starts[which] + turn % counts[which]]
    rounds = (turn // counts[which]).astype(np.uint64)
    shown = keys[images] ^ (rounds * np.uint64(0x9E3779B97F4A7C15))
    order = epoch_order(shown, seed, epoch)
    return images[order], shown[order]
