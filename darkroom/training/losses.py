"""Losses by name, image by image."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from darkroom.training.batches import Batch
from darkroom.training.margin import margin_loss

# From logits float32 [N, K] and labels int64 [N] to a loss for each image, float32 [N].
ImageLoss = Callable[[Tensor, Tensor], Tensor]


def make_loss(name: str, smoothing: float, gamma: float, weights: Tensor | None) -> ImageLoss:
    """The loss of each image.

    Args:
        name: `cross_entropy`; `binary`, the binary cross-entropy of the second class against the first, from the difference of
            the two logits; `focal` (Lin et al. 2017, arXiv 1708.02002, equation 4); or `margin` (Sabour et al. 2017, arXiv
            1710.09829, equation 4).
        smoothing: the share of a label that is spread evenly over all classes; cross_entropy and binary alone.
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
    if batch.others is not None and batch.shares is not None:
        losses = batch.shares * losses + (1 - batch.shares) * image_loss(logits, batch.others)
    return losses.mean()
