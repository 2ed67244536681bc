"""Losses by name, image by image, and the weights of classes of unequal size."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from darkroom.network.capsule_net import LOGIT_SCALE
from darkroom.runtime.arrays import Int64s
from darkroom.training.batches import Batch

PRESENT, ABSENT = 0.9, 0.1
ABSENT_WEIGHT = 0.5

# How many times as many images the largest class has, for a note where `balance` is `none`.
NOTABLE_RATIO = 3.0


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The margin loss of Sabour, Frosst, Hinton 2017 (https://arxiv.org/abs/1710.09829), equation 4, of each image.

    Nothing is asked of a capsule of the label's class that is longer than 0.9, nor of one of another class that is shorter
    than 0.1; beyond, the squared distance counts, half for the other classes.

    Args:
        logits: what `CapsuleNet` gives, [N, K]: lengths times `LOGIT_SCALE`.
        labels: int64 [N].

    Returns:
        float32 [N].
    """
    lengths = logits.float() / LOGIT_SCALE
    present = functional.one_hot(labels, logits.shape[1]).float()
    missing = functional.relu(PRESENT - lengths).square()
    surplus = functional.relu(lengths - ABSENT).square()
    return (present * missing + ABSENT_WEIGHT * (1 - present) * surplus).sum(1)


# From logits float32 [N, K] and labels int64 [N] to a loss for each image, float32 [N].
ImageLoss = Callable[[Tensor, Tensor], Tensor]


def make_loss(name: str, smoothing: float, gamma: float, weights: Tensor | None) -> ImageLoss:
    """The loss of each image.

    Args:
        name: `cross_entropy`; `binary`, the binary cross-entropy of the second class against the first, from the difference of
            the two logits; `focal` (Lin et al. 2017, arXiv 1708.02002, equation 4); or `margin` (Sabour et al. 2017, arXiv
            1710.09829, equation 4).
        smoothing: the fraction of a label that is spread evenly over all classes; cross_entropy and binary alone.
        gamma: of focal: how little an image counts whose class is already likely.
        weights: what an image of each class counts, float32 [K]; None: all alike.
    """

    def plain(logits: Tensor, labels: Tensor) -> Tensor:
        if name == "margin":
            return margin_loss(logits, labels)
        if name == "focal":
            losses = functional.cross_entropy(logits, labels, reduction="none")
            return (1 - torch.exp(-losses)) ** gamma * losses
        if name == "binary":
            target = labels.to(logits.dtype) * (1 - smoothing) + smoothing / 2
            return functional.binary_cross_entropy_with_logits(logits[:, 1] - logits[:, 0], target, reduction="none")
        return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    if weights is None:
        return plain
    return lambda logits, labels: plain(logits, labels) * weights[labels]


def batch_loss(image_loss: ImageLoss, logits: Tensor, batch: Batch) -> Tensor:
    """The mean loss of a batch, whose labels may be mixed: a scalar.

    Divided by the images, not by the sum of their weights, which would undo them in a batch of one class.
    """
    losses = image_loss(logits, batch.labels)
    if batch.other_labels is not None and batch.own_weights is not None:
        losses = batch.own_weights * losses + (1 - batch.own_weights) * image_loss(logits, batch.other_labels)
    return losses.mean()


def class_weights(labels: Int64s, classes: int) -> Tensor:
    """What an image of each class counts in the loss, float32 [K]: inversely as its class is large, 1 on average over images.

    Args:
        labels: int64 [N].
        classes: K. A class without images has the weight 0, which no image uses.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return torch.from_numpy(weights.astype(np.float32))


def balance_note(labels: Int64s, names: tuple[str, ...], balance: str) -> str | None:
    """One line about classes of unequal size and what is done about them; None where nothing is and sizes are similar.

    Args:
        labels: of the training images, int64 [N].
        names: of the classes.
        balance: `none`, `weights` or `sampler`.
    """
    counts = np.bincount(labels, minlength=len(names))
    largest, smallest = int(counts.argmax()), int(np.where(counts, counts, len(labels) + 1).argmin())
    ratio = counts[largest] / counts[smallest]
    sizes = f"{names[largest]} has {counts[largest]:,} training images and {names[smallest]} {counts[smallest]:,}"
    if balance == "weights":
        weights = class_weights(labels, len(names))
        return (
            f"{sizes}: an image counts {weights[largest]:.3g} to {weights[smallest]:.3g} times in the training loss "
            "(train.balance=weights); validation counts every image once"
        )
    if balance == "sampler":
        times = len(labels) / (np.count_nonzero(counts) * counts)[[largest, smallest]]
        return f"{sizes}: an epoch shows an image {times[0]:.3g} to {times[1]:.3g} times (train.balance=sampler)"
    if ratio > NOTABLE_RATIO:
        return f"{sizes}, {ratio:.1f} times fewer: train.balance=weights or train.balance=sampler evens that out"
    return None
