"""Transforms of Albumentations, one image at a time."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.transforms import make_transform
from darkroom.training.augmentation import ImageRng

# How often a transform is tried before training starts: some change the size only at times.
TRIALS = 8


class Transforms:
    """Transforms by name with their arguments, in order."""

    def __init__(self, wanted: Sequence[dict[str, Any]], side: int, channels: int) -> None:
        """Args:
            wanted: as in `train.albumentations`: a name and arguments each.
            side, channels: of the images that will come.

        Raises:
            DarkroomError: when there is no such transform, when it does not take these arguments, or when it can't be used on
                images alone that keep their size.
        """
        self._transforms = []
        for place, each in enumerate(wanted):
            where = f"train.albumentations[{place}]"
            transform = make_transform(where, each)
            _try_out(transform, where, side, channels)
            self._transforms.append(transform)

    def apply(self, images: Tensor, rng: ImageRng) -> Tensor:
        """Transform images.

        Every image and transform has a seed of its own. (Albumentations' own Compose gives all its transforms the same one, so
        that two with p=0.5 apply to the same images.)

        Args:
            images: uint8 [B, S, S, C].
            rng: of these images.

        Returns:
            uint8 [B, S, S, C], where `images` are.
        """
        pictures = images.cpu().numpy().copy()
        for place, transform in enumerate(self._transforms):
            applies = rng.uniform(f"albumentations {place} applies") < transform.p
            seeds = (rng.uniform(f"albumentations {place}") * 2**53).astype(np.int64)
            for row in np.flatnonzero(applies):
                transform.set_random_seed(int(seeds[row]))
                pictures[row] = transform(image=pictures[row], force_apply=True)["image"]
        return torch.from_numpy(pictures).to(images.device)


def _try_out(transform: Any, where: str, side: int, channels: int) -> None:
    """Refuse a transform that can't be used in training; tried on images of noise."""
    name = type(transform).__name__
    pictures = np.random.default_rng(0).integers(0, 256, (TRIALS, side, side, channels), dtype=np.uint8)
    for seed, picture in enumerate(pictures):
        transform.set_random_seed(seed)
        try:
            found = np.asarray(transform(image=picture, force_apply=True)["image"])
        except (ValueError, KeyError, TypeError, NotImplementedError, cv2.error) as error:
            raise DarkroomError(
                f"{where}: {name} can't be used on images of {side} x {side} pixels, {channels} channel(s), with nothing "
                f"beside them: {error}"
            ) from None
        if found.shape != picture.shape or found.dtype != np.uint8:
            raise DarkroomError(
                f"{where}: {name} makes {found.dtype} {list(found.shape)} of uint8 {list(picture.shape)}; training needs "
                "transforms that keep size and kind (preprocess.size sets the size, and values are scaled by the network)"
            )
