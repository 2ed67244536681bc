"""What is done to training images, the random numbers behind it, and the mixing of images with one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.seeding import uniform_per_image


@dataclass(frozen=True)
class Augmentation:
    """The settings of augmentation, under the names of `darkroom.settings.train.Train`, which says what each means.

    The values that stand here leave images as they are.
    """

    flip: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    albumentations: Sequence[dict[str, Any]] = ()

    @property
    def nothing(self) -> bool:
        """Whether images stay as they are."""
        return not (
            self.flip
            or self.shift
            or self.resamples
            or self.brightness
            or self.contrast
            or self.noise
            or self.cutout
            or self.mixes
            or self.albumentations
        )

    @property
    def resamples(self) -> bool:
        """Whether pixels come to lie between others, so that their values must be worked out anew."""
        return self.rotate > 0 or self.zoom > 0 or self.crop < 1

    @property
    def mixes(self) -> bool:
        """Whether an image takes something from another of its batch."""
        return self.mixup > 0 or self.cutmix > 0


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


def boxes(chance: Chance, purpose: str, side: int, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A square of the given length around any pixel of each image, cut off at the edge.

    Args:
        chance: of the images [B].
        purpose: tells this draw from others.
        side: of the images.
        lengths: int64 [B], in pixels.

    Returns:
        int64 [4, B]: first row, end of rows, first column, end of columns.
    """
    edges: list[npt.NDArray[np.int64]] = []
    for axis in ("rows", "columns"):
        first = (chance.draw(f"{purpose} {axis}") * side).astype(np.int64) - lengths // 2
        edges += [first, first + lengths]
    return np.array(edges).clip(0, side)


def inside(places: npt.NDArray[np.int64], images: Tensor) -> Tensor:
    """Which pixels of images [B, S, S, C] lie in their boxes, bool [B, S, S, 1]."""
    pixel = torch.arange(images.shape[1], device=images.device)
    top, bottom, left, right = torch.from_numpy(places).to(images.device)[:, :, None]
    rows, columns = (pixel >= top) & (pixel < bottom), (pixel >= left) & (pixel < right)
    found: Tensor = rows[:, :, None] & columns[:, None, :]
    return found[..., None]


Mixing = Literal["mixup", "cutmix"]


def partners(chance: Chance) -> npt.NDArray[np.int64]:
    """Whom each image of a whole batch is mixed with, int64 [B]: never itself, but in a batch of one.

    The images stand in a circle in the order of their draws, and each takes the next.
    """
    circle = np.argsort(chance.draw("partner"), kind="stable")
    found = np.empty_like(circle)
    found[circle] = np.roll(circle, -1)
    return found


def choose_mixing(recipe: Augmentation, step: int, seed: int, epoch: int) -> Mixing:
    """What a batch does; with both set, each of them in half of the batches."""
    if recipe.mixup and recipe.cutmix:
        draw = Chance(np.array([step], dtype=np.uint64), seed, epoch).draw("mixup or cutmix")[0]
        return "mixup" if draw < 0.5 else "cutmix"
    return "mixup" if recipe.mixup else "cutmix"


def mix(mixing: Mixing, images: Tensor, others: Tensor, chance: Chance, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix images with others.

    `mixup`: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; `cutmix`: Yun et al. 2019, "CutMix: Regularization
    Strategy to Train Strong Classifiers with Localizable Features". Each image has its own share, where the papers draw one
    for a batch.

    Args:
        mixing: which.
        images, others: uint8 [B, S, S, C].
        chance: of `images`.
        alpha: both parameters of the Beta distribution of the share that an image keeps of itself.

    Returns:
        uint8 [B, S, S, C], and the share that each image kept, float32 [B]; for cutmix the share of its pixels.
    """
    # Imported here: it takes 0.1 s, and few trainings mix.
    from scipy.special import betaincinv

    kept = betaincinv(alpha, alpha, chance.draw("share"))
    if mixing == "mixup":
        share = on(kept, images)
        blend = torch.lerp(others.float(), images.float(), share).add_(0.5).to(torch.uint8)
        return blend, share.flatten()
    side = images.shape[1]
    places = boxes(chance, "cutmix", side, np.round(side * np.sqrt(1 - kept)).astype(np.int64))
    height, width = places[1] - places[0], places[3] - places[2]
    share = on(1 - height * width / side**2, images)
    return torch.where(inside(places, images), others, images), share.flatten()
