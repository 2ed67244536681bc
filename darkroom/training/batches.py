"""Batches of memory-mapped or resident images: the order of an epoch, and each batch by its number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from darkroom.runtime.arrays import Images, Int64s, UInt64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import uniform_per_image
from darkroom.training.albumentations import Transforms
from darkroom.training.augmentation import Augmentation, ImageRng, choose_mixing, mix, partners
from darkroom.training.batch_transforms import augment

# What is trained on, [N, …]: a tensor, or memory maps, of which no process keeps a copy.
Rows = Tensor | Images


def take(rows: Rows, index: Int64s) -> Tensor:
    """Some rows, in the order of the index int64 [B]: where the tensor is, or read from the memory maps."""
    if isinstance(rows, Tensor):
        return rows[torch.from_numpy(index).to(rows.device)]
    return torch.from_numpy(np.asarray(rows[index]))


def epoch_order(keys: UInt64s, seed: int, epoch: int) -> Int64s:
    """The order of the images in an epoch, int64 [N].

    Each image draws a number from (seed, epoch, its key) and they are sorted by it, so that an image's place among the
    others does not depend on how many processes or restarts there were.
    """
    return np.argsort(uniform_per_image(keys, "order", seed, epoch), kind="stable")


def balanced_order(labels: Int64s, keys: UInt64s, seed: int, epoch: int) -> tuple[Int64s, UInt64s]:
    """As many images as there are, every class equally often (but for one), in the order of an epoch.

    The images of each class come in `epoch_order`, and again from the first when all have come: every image of a rare class
    comes equally often (but for one), and of a common class each epoch takes other ones. The order depends on keys alone.

    Returns:
        int64 [N], which image; and uint64 [N], a key for the augmentation of each: the image's own the first time,
        another for every repetition, so that it is augmented in another way.
    """
    shuffled = epoch_order(keys, seed, epoch)
    sorted_images = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[sorted_images], return_index=True, return_counts=True)
    turn, which = np.divmod(np.arange(len(labels)), len(counts))
    images = sorted_images[starts[which] + turn % counts[which]]
    rounds = (turn // counts[which]).astype(np.uint64)
    draw_keys = keys[images] ^ (rounds * np.uint64(0x9E3779B97F4A7C15))
    order = epoch_order(draw_keys, seed, epoch)
    return images[order], draw_keys[order]


class Batch(NamedTuple):
    """The images of a step; its loss is weight * loss(labels) + (1 - weight) * loss(other_labels).

    Attributes:
        images: uint8 [B, S, S, C], or float32 [B, F] for features.
        labels: int64 [B].
        other_labels: int64 [B], of the images that were mixed in; None where nothing is mixed.
        own_weights: float32 [B], of each image itself; None where nothing is mixed.
    """

    images: Tensor
    labels: Tensor
    other_labels: Tensor | None
    own_weights: Tensor | None

    def on(self, device: torch.device) -> "Batch":
        """The same, on another device."""
        mixed = (None if tensor is None else tensor.to(device) for tensor in (self.other_labels, self.own_weights))
        return Batch(self.images.to(device), self.labels.to(device), *mixed)


class TrainingBatches:
    """The training split, batch by batch, in a new order and newly augmented each epoch.

    Args:
        images: uint8 [N, S, S, C], or float32 [N, F] where nothing is augmented; memory maps, or a tensor on any device, in
            main memory where there are workers.
        labels: int64 [N].
        keys: uint64 [N], one for each image, the same on every run.
        batch_size: images a step, of all processes together; where there are fewer images, all of them. Images that are left
            over at the end of an epoch are not used in it: they are other ones each time, and a last batch of one image would
            break batch normalisation.
        augmentation: what is done to images.
        seed: of order and augmentation.
        balanced: show every class equally often, as `balanced_order` does, in place of every image once.
        workers: processes that prepare batches ahead; the batches do not depend on it.
        rank, world: which of how many training processes this is. It gets the rows `rank::world` of each batch, after mixing,
            so that all of them together see the batches of one process.

    Raises:
        DarkroomError: when a transform of Albumentations can't be used, or a batch is too small to be shared.
    """

    def __init__(
        self,
        images: Rows,
        labels: Tensor,
        keys: UInt64s,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        balanced: bool = False,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._images, self._labels, self._keys, self._balanced = images, labels, keys, balanced
        self._batch_size = min(batch_size, len(images))
        if self._batch_size < world:
            raise DarkroomError(
                f"{world} processes can't share batches of {self._batch_size} images: set a larger train.batch_size, or "
                "a smaller train.processes"
            )
        self._augmentation, self._seed = augmentation, seed
        self._workers, self._rank, self._world = workers, rank, world
        wanted = augmentation.albumentations
        self._transforms = Transforms(wanted, images.shape[1], images.shape[3]) if wanted else None

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._images) // self._batch_size

    @property
    def share(self) -> float:
        """What the mean over this process's part of a batch counts beside those of the others: 1 where all are equally long."""
        return len(range(self._rank, self._batch_size, self._world)) * self._world / self._batch_size

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from a step on that is counted from 0."""
        keys = None
        if self._balanced:
            order, keys = balanced_order(self._labels.cpu().numpy(), self._keys, self._seed, number)
        else:
            order = epoch_order(self._keys, self._seed, number)
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

    def _batch(self, step: int, number: int, order: Int64s, keys: UInt64s | None) -> Batch:
        rows = slice(step * self._batch_size, (step + 1) * self._batch_size)
        index = order[rows]
        rng = ImageRng(self._keys[index] if keys is None else keys[rows], self._seed, number)
        own = np.arange(self._rank, self._batch_size, self._world)
        if not self._augmentation.mixes:
            return Batch(self._augmented(index, rng, own), self._labels_of(index[own]), None, None)
        theirs = partners(rng)[own]
        # Of the other processes' images those that are mixed into the own ones.
        needed, places = np.unique(np.concatenate([own, theirs]), return_inverse=True)
        pictures = self._augmented(index, rng, needed)
        which = torch.from_numpy(places).to(pictures.device)
        mixing = choose_mixing(self._augmentation, step, self._seed, number)
        alpha = self._augmentation.mixup if mixing == "mixup" else self._augmentation.cutmix
        mine, others = pictures[which[: len(own)]], pictures[which[len(own) :]]
        images, weights = mix(mixing, mine, others, rng.select(own), alpha)
        return Batch(images, self._labels_of(index[own]), self._labels_of(index[theirs]), weights)

    def _augmented(self, index: Int64s, rng: ImageRng, rows: Int64s) -> Tensor:
        images = take(self._images, index[rows])
        if self._augmentation.nothing:
            return images
        return augment(images, rng.select(rows), self._augmentation, self._transforms)

    def _labels_of(self, index: Int64s) -> Tensor:
        return self._labels[torch.from_numpy(index).to(self._labels.device)]


@dataclass(frozen=True)
class _Epoch(Dataset[Batch]):
    """An epoch's batches by their number, for the loader."""

    batches: TrainingBatches
    number: int
    order: Int64s
    keys: UInt64s | None

    def __getitem__(self, step: int) -> Batch:
        return self.batches._batch(step, self.number, self.order, self.keys)


def _start_worker(number: int) -> None:
    """One thread in each worker; the loader sees to torch's own."""
    cv2.setNumThreads(0)
