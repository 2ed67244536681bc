"""The chance that augmentation draws from: counted for each image, so that nothing else moves it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.seeding import uniform_per_image


@dataclass(frozen=True)
class Chance:
    """Draws for the images of a batch; each depends on the seed, the epoch (but for `once`), the image's key and the purpose.

    Attributes:
        keys: uint64 [B], one for each image.
        seed, epoch: of the training.
    """

    keys: UInt64s
    seed: int
    epoch: int

    def of(self, rows: npt.NDArray[np.int64]) -> "Chance":
        """The chance of some of the images."""
        return Chance(self.keys[rows], self.seed, self.epoch)

    def draw(self, purpose: str) -> npt.NDArray[np.float64]:
        """A number in [0, 1) for each image, float64 [B]."""
        return uniform_per_image(self.keys, purpose, self.seed, self.epoch)

    def once(self, purpose: str) -> npt.NDArray[np.float64]:
        """A number in [0, 1) for each image that is the same in all epochs, float64 [B]."""
        return uniform_per_image(self.keys, purpose, self.seed)

    def spread(self, purpose: str, reach: float) -> npt.NDArray[np.float64]:
        """A number in [-reach, reach) for each image, float64 [B]."""
        return (2 * self.draw(purpose) - 1) * reach

    def whole(self, purpose: str, reach: int) -> npt.NDArray[np.int64]:
        """A whole number from -reach to reach for each image, int64 [B]."""
        return (self.draw(purpose) * (2 * reach + 1)).astype(np.int64) - reach


def on(values: npt.NDArray[np.float64], like: Tensor) -> Tensor:
    """Draws as float32, where the images are, shaped [B, 1, 1, 1] to meet [B, S, S, C]."""
    return torch.from_numpy(values).to(like.device, torch.float32)[:, None, None, None]
