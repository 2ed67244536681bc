"""Batches from a resident array: the order of an epoch, and augmentation of whole batches."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkroom.seeding import UInt64s, uniform_per_image


def epoch_order(keys: UInt64s, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of the images in an epoch, int64 [N].

    Each image draws a number from (seed, epoch, its key) and they are sorted by it, so that an image's place among the
    others does not depend on how many processes or restarts there were.
    """
    return np.argsort(uniform_per_image(keys, "order", seed, epoch), kind="stable")


def augment(images: Tensor, keys: UInt64s, flip: bool, shift: float, seed: int, epoch: int) -> Tensor:
    """Mirror and move images; every image draws from (seed, epoch, its key) alone.

    Args:
        images: uint8 [N, S, S, C].
        keys: uint64 [N].
        flip: mirror left to right with probability one half.
        shift: move by up to this share of the side, in whole pixels, in both directions; the edge is repeated.

    Returns:
        uint8 [N, S, S, C], by one gathering for both: 0.4 ms for 128 images of 28 pixels, a step being 40.
    """
    side = images.shape[1]
    reach = round(shift * side)
    if not flip and reach == 0:
        return images
    pixel = torch.arange(side)
    rows, columns = pixel.repeat(len(images), 1), pixel.repeat(len(images), 1)
    if flip:
        mirrored = torch.from_numpy(uniform_per_image(keys, "flip", seed, epoch) < 0.5)
        columns = torch.where(mirrored[:, None], side - 1 - columns, columns)
    if reach:
        rows = (rows + _offsets(keys, reach, "rows", seed, epoch)).clamp(0, side - 1)
        columns = (columns + _offsets(keys, reach, "columns", seed, epoch)).clamp(0, side - 1)
    which = torch.arange(len(images))[:, None, None]
    return images[which, rows[:, :, None], columns[:, None, :]]


def _offsets(keys: UInt64s, reach: int, purpose: str, seed: int, epoch: int) -> Tensor:
    """Whole numbers from -reach to reach, int64 [N, 1]."""
    draws = uniform_per_image(keys, purpose, seed, epoch)
    return torch.from_numpy((draws * (2 * reach + 1)).astype(np.int64) - reach)[:, None]


class TrainingBatches:
    """The training split, batch by batch, in a new order and newly augmented each epoch.

    Args:
        images: uint8 [N, S, S, C].
        labels: int64 [N].
        keys: uint64 [N], one for each image, the same on every run.
        batch_size: images a step; where there are fewer images, all of them. What is left over at the end of an epoch
            sits out that epoch: it is other images each time, and a last batch of one image would break batch normalisation.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, keys: UInt64s, batch_size: int, flip: bool, shift: float, seed: int
    ) -> None:
        self._images, self._labels, self._keys = images, labels, keys
        self._batch_size = min(batch_size, len(images))
        self._flip, self._shift, self._seed = flip, shift, seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._images) // self._batch_size

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images uint8 [B, S, S, C] and labels int64 [B] of one epoch's steps."""
        order = epoch_order(self._keys, self._seed, number)
        for step in range(len(self)):
            chosen = order[step * self._batch_size : (step + 1) * self._batch_size]
            index = torch.from_numpy(chosen)
            batch = augment(self._images[index], self._keys[chosen], self._flip, self._shift, self._seed, number)
            yield batch, self._labels[index]
