"""Classes of unequal size: how unequal, what a remedy comes to, and the weights of the loss."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# From here on the line speaks of the imbalance where nothing is done about it.
NOTABLE = 3.0


def class_weights(labels: npt.NDArray[np.int64], classes: int) -> Tensor:
    """What an image of each class counts in the loss, float32 [K]: inversely as its class is large, 1 on average over images.

    Args:
        labels: int64 [N].
        classes: K. A class without images has the weight 0, which nothing meets.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)
    return torch.from_numpy(weights.astype(np.float32))


def tell_balance(labels: npt.NDArray[np.int64], names: tuple[str, ...], balance: str) -> str | None:
    """One line about classes of unequal size and what is done about them; None where there is nothing to say.

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
    if ratio > NOTABLE:
        return f"{sizes}, {ratio:.1f} times fewer: train.balance=weights or train.balance=sampler evens that out"
    return None
