"""Batches from a resident array: the order of an epoch, and each batch by its number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from darkroom.runtime.arrays import UInt64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import uniform_per_image
from darkroom.training.albumentations import Transforms
from darkroom.training.augmentation import Augmentation, Chance, choose_mixing, mix, partners
from darkroom.training.batch_transforms import augment


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


class Batch(NamedTuple):
    """What a step learns from; its loss is share * loss(labels) + (1 - share) * loss(others).

    Attributes:
        images: uint8 [B, S, S, C], or float32 [B, F] for features.
        labels: int64 [B].
        others: int64 [B], labels of the images that were mixed in; None where nothing is mixed.
        shares: float32 [B], what each image kept of itself; None where nothing is mixed.
    """

    images: Tensor
    labels: Tensor
    others: Tensor | None
    shares: Tensor | None

    def on(self, device: torch.device) -> "Batch":
        """The same, on another device."""
        others, shares = (None if part is None else part.to(device) for part in (self.others, self.shares))
        return Batch(self.images.to(device), self.labels.to(device), others, shares)


class TrainingBatches:
    """The training split, batch by batch, in a new order and newly augmented each epoch.

    Args:
        images: uint8 [N, S, S, C], or float32 [N, F] where nothing is augmented; on any device, and in main memory where
            there are workers.
        labels: int64 [N], on the same device.
        keys: uint64 [N], one for each image, the same on every run.
        batch_size: images a step, of all processes together; where there are fewer images, all of them. What is left over at
            the end of an epoch sits out that epoch: it is other images each time, and a last batch of one image would break
            batch normalisation.
        augmentation: what is done to images.
        seed: of order and augmentation.
        evenly: show every class equally often, as `even_order` does, in place of every image once.
        workers: processes that prepare batches ahead; the batches do not depend on it.
        rank, world: which of how many training processes this is. It gets the rows `rank::world` of each batch, after mixing,
            so that all of them together see the batches of one process.

    Raises:
        DarkroomError: when a transform of Albumentations can't be used, or a batch is too small to be shared.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        keys: UInt64s,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        evenly: bool = False,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._images, self._labels, self._keys, self._evenly = images, labels, keys, evenly
        self._batch_size = min(batch_size, len(images))
        if self._batch_size < world:
            raise DarkroomError(
                f"{world} processes can't share batches of {self._batch_size} images: set a larger train.batch_size, or start "
                "fewer processes"
            )
        self._recipe, self._seed = augmentation, seed
        self._workers, self._rank, self._world = workers, rank, world
        wanted = augmentation.albumentations
        self._transforms = Transforms(wanted, images.shape[1], images.shape[3]) if wanted else None

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._images) // self._batch_size

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from a step on that is counted from 0."""
        if self._evenly:
            order, keys = even_order(self._labels.cpu().numpy(), self._keys, self._seed, number)
        else:
            order = epoch_order(self._keys, self._seed, number)
            keys = self._keys[order]
        steps = range(first_step, len(self))
        batches = _Epoch(self, number, order, keys)
        if not self._workers:
            return (batches[step] for step in steps)
        # The generator keeps the loader from drawing its seed from the one that dropout draws from.
        return iter(
            DataLoader(
                batches,
                batch_size=None,
                sampler=steps,
                num_workers=self._workers,
                worker_init_fn=_start_worker,
                multiprocessing_context="fork",
                generator=torch.Generator(),
            )
        )

    def _batch(self, step: int, number: int, order: npt.NDArray[np.int64], keys: UInt64s) -> Batch:
        part = slice(step * self._batch_size, (step + 1) * self._batch_size)
        index, chance = order[part], Chance(keys[part], self._seed, number)
        own = np.arange(self._rank, self._batch_size, self._world)
        if not self._recipe.mixes:
            return Batch(self._augmented(index, chance, own), self._labels_of(index[own]), None, None)
        theirs = partners(chance)[own]
        # Of the other processes' images those that are mixed into the own ones.
        needed, places = np.unique(np.concatenate([own, theirs]), return_inverse=True)
        pictures, which = self._augmented(index, chance, needed), torch.from_numpy(places).to(self._images.device)
        mixing = choose_mixing(self._recipe, step, self._seed, number)
        alpha = self._recipe.mixup if mixing == "mixup" else self._recipe.cutmix
        mine, others = pictures[which[: len(own)]], pictures[which[len(own) :]]
        images, shares = mix(mixing, mine, others, chance.of(own), alpha)
        return Batch(images, self._labels_of(index[own]), self._labels_of(index[theirs]), shares)

    def _augmented(self, index: npt.NDArray[np.int64], chance: Chance, rows: npt.NDArray[np.int64]) -> Tensor:
        which = torch.from_numpy(index[rows]).to(self._images.device)
        if self._recipe.nothing:
            return self._images[which]
        return augment(self._images, which, chance.of(rows), self._recipe, self._transforms)

    def _labels_of(self, index: npt.NDArray[np.int64]) -> Tensor:
        return self._labels[torch.from_numpy(index).to(self._labels.device)]


@dataclass(frozen=True)
class _Epoch(Dataset[Batch]):
    """An epoch's batches by their number, for the loader."""

    batches: TrainingBatches
    number: int
    order: npt.NDArray[np.int64]
    keys: UInt64s

    def __getitem__(self, step: int) -> Batch:
        return self.batches._batch(step, self.number, self.order, self.keys)


def _start_worker(number: int) -> None:
    """One thread in each worker; the loader sees to torch's own."""
    cv2.setNumThreads(0)
