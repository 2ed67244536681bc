"""What is done to training images, the random numbers behind it, and the mixing of images with one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from darkroom.runtime.arrays import Float64s, Int64s, UInt64s
from darkroom.runtime.seeding import uniform_per_image


@dataclass(frozen=True)
class Augmentation:
    """The settings of augmentation, under their names in `darkroom.settings.train.Train`, where each is explained.

    The defaults leave images as they are.
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
        """Whether pixels are interpolated."""
        return self.rotate > 0 or self.zoom > 0 or self.crop < 1

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with one another."""
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True)
class ImageRng:
    """Random numbers for the images of a batch. Each depends on seed, epoch (but for `uniform_once`), image key and purpose.

    Attributes:
        keys: uint64 [B], one for each image.
        seed, epoch: of the training.
    """

    keys: UInt64s
    seed: int
    epoch: int

    def select(self, rows: Int64s) -> "ImageRng":
        """The random numbers of some of the images."""
        return ImageRng(self.keys[rows], self.seed, self.epoch)

    def uniform(self, purpose: str) -> Float64s:
        """A number in [0, 1) for each image, float64 [B]."""
        return uniform_per_image(self.keys, purpose, self.seed, self.epoch)

    def uniform_once(self, purpose: str) -> Float64s:
        """A number in [0, 1) for each image that is the same in all epochs, float64 [B]."""
        return uniform_per_image(self.keys, purpose, self.seed)

    def symmetric(self, purpose: str, reach: float) -> Float64s:
        """A number in [-reach, reach) for each image, float64 [B]."""
        return (2 * self.uniform(purpose) - 1) * reach

    def integers(self, purpose: str, reach: int) -> Int64s:
        """A whole number from -reach to reach for each image, int64 [B]."""
        return (self.uniform(purpose) * (2 * reach + 1)).astype(np.int64) - reach


def per_image(values: Float64s, like: Tensor) -> Tensor:
    """Numbers float64 [B] as float32 [B, 1, 1, 1] on the device of the images, to be broadcast over [B, S, S, C]."""
    return torch.from_numpy(values).to(like.device, torch.float32)[:, None, None, None]


def random_boxes(rng: ImageRng, purpose: str, side: int, lengths: Int64s) -> Int64s:
    """A square of the given length around any pixel of each image, cut off at the edge.

    Args:
        rng: of the images [B].
        purpose: distinguishes this draw from others.
        side: of the images.
        lengths: int64 [B], in pixels.

    Returns:
        int64 [4, B]: first row, end of rows, first column, end of columns.
    """
    edges: list[Int64s] = []
    for axis in ("rows", "columns"):
        first = (rng.uniform(f"{purpose} {axis}") * side).astype(np.int64) - lengths // 2
        edges += [first, first + lengths]
    return np.array(edges).clip(0, side)


def in_boxes(boxes: Int64s, images: Tensor) -> Tensor:
    """Which pixels of images [B, S, S, C] are in their boxes, int64 [4, B] as of `random_boxes`; bool [B, S, S, 1]."""
    pixel = torch.arange(images.shape[1], device=images.device)
    top, bottom, left, right = torch.from_numpy(boxes).to(images.device)[:, :, None]
    rows, columns = (pixel >= top) & (pixel < bottom), (pixel >= left) & (pixel < right)
    found: Tensor = rows[:, :, None] & columns[:, None, :]
    return found[..., None]


Mixing = Literal["mixup", "cutmix"]


def partners(rng: ImageRng) -> Int64s:
    """The image of the same batch that each image is mixed with, int64 [B]; never itself, but in a batch of one.

    The images form a circle in a random order, and each is mixed with the next.
    """
    circle = np.argsort(rng.uniform("partner"), kind="stable")
    found = np.empty_like(circle)
    found[circle] = np.roll(circle, -1)
    return found


def choose_mixing(augmentation: Augmentation, step: int, seed: int, epoch: int) -> Mixing:
    """The mixing of a batch; with both set, each of them in half of the batches."""
    if augmentation.mixup and augmentation.cutmix:
        draw = ImageRng(np.array([step], dtype=np.uint64), seed, epoch).uniform("mixup or cutmix")[0]
        return "mixup" if draw < 0.5 else "cutmix"
    return "mixup" if augmentation.mixup else "cutmix"


def mix(mixing: Mixing, images: Tensor, others: Tensor, rng: ImageRng, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix images with others.

    `mixup`: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; `cutmix`: Yun et al. 2019, "CutMix: Regularization
    Strategy to Train Strong Classifiers with Localizable Features". Each image has its own weight, where the papers draw
    one for a batch.

    Args:
        mixing: which.
        images, others: uint8 [B, S, S, C].
        rng: of `images`.
        alpha: both parameters of the Beta distribution of an image's own weight.

    Returns:
        uint8 [B, S, S, C], and the own weight of each image, float32 [B]; for cutmix the fraction of its own pixels.
    """
    # Imported here: it takes 0.1 s, and few trainings mix.
    from scipy.special import betaincinv

    drawn = betaincinv(alpha, alpha, rng.uniform("share"))
    if mixing == "mixup":
        weight = per_image(drawn, images)
        blend = torch.lerp(others.float(), images.float(), weight).add_(0.5).to(torch.uint8)
        return blend, weight.flatten()
    side = images.shape[1]
    boxes = random_boxes(rng, "cutmix", side, np.round(side * np.sqrt(1 - drawn)).astype(np.int64))
    height, width = boxes[1] - boxes[0], boxes[3] - boxes[2]
    weight = per_image(1 - height * width / side**2, images)
    return torch.where(in_boxes(boxes, images), others, images), weight.flatten()
