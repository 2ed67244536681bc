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
        evenly: show every class equally often, as `even_order` does, in place of every image once.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        keys: UInt64s,
        batch_size: int,
        flip: bool,
        shift: float,
        seed: int,
        evenly: bool = False,
    ) -> None:
        self._images, self._labels, self._keys, self._evenly = images, labels, keys, evenly
        self._batch_size = min(batch_size, len(images))
        self._flip, self._shift, self._seed = flip, shift, seed

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._images) // self._batch_size

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images uint8 [B, S, S, C] and labels int64 [B] of one epoch's steps."""
        if self._evenly:
            order, keys = even_order(self._labels.numpy(), self._keys, self._seed, number)
        else:
            order = epoch_order(self._keys, self._seed, number)
            keys = self._keys[order]
        for step in range(len(self)):
            part = slice(step * self._batch_size, (step + 1) * self._batch_size)
            index = torch.from_numpy(order[part])
            batch = augment(self._images[index], keys[part], self._flip, self._shift, self._seed, number)
            yield batch, self._labels[index]
