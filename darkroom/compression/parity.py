"""The distance of one model's predictions from another's on the same images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float32s
from darkroom.statistics.paired_score import paired_interval


@dataclass(frozen=True)
class Paired:
    """Two models' predictions of the same labelled images, counted.

    Attributes:
        images: their number.
        lost: images that only the first model predicts correctly.
        won: images that only the second predicts correctly.
        differ: images for which they predict different classes.
    """

    images: int
    lost: int
    won: int
    differ: int

    def __add__(self, other: "Paired") -> "Paired":
        """Of both sets of images, which share none."""
        return Paired(
            self.images + other.images, self.lost + other.lost, self.won + other.won, self.differ + other.differ
        )

    def loss_interval(self, confidence: float) -> tuple[float, float]:
        """The interval of the loss in accuracy; see `paired_interval`."""
        return paired_interval(self.lost, self.won, self.images, confidence)


@dataclass(frozen=True)
class Parity:
    """One set of predictions beside another that it should equal.

    Attributes:
        images: their number.
        largest_difference: of any probability.
        worst: the image with that difference.
        mean_difference: of all probabilities, absolute.
        label_disagreement: the fraction of images on which they predict different classes.
        correct_before: images that the reference predicts correctly.
        correct_after: images that the other predicts correctly.
        only_before: images that only the reference predicts correctly.
        only_after: images that only the other predicts correctly.
    """

    images: int
    largest_difference: float
    worst: int
    mean_difference: float
    label_disagreement: float
    correct_before: int
    correct_after: int
    only_before: int
    only_after: int

    @property
    def accuracy_before(self) -> float:
        return self.correct_before / self.images

    @property
    def accuracy_after(self) -> float:
        return self.correct_after / self.images

    @property
    def paired(self) -> Paired:
        """The images, counted."""
        return Paired(self.images, self.only_before, self.only_after, round(self.label_disagreement * self.images))

    @property
    def accuracy_loss(self) -> float:
        """Accuracy of the reference less that of the other: negative where the other is better."""
        return (self.correct_before - self.correct_after) / self.images


def compare(reference: Float32s, other: Float32s, labels: npt.NDArray[np.int64]) -> Parity:
    """Compare two sets of predictions.

    Args:
        reference, other: probabilities float32 [N, K] of the same images, N at least 1.
        labels: int64 [N], the true classes.
    """
    differences = np.abs(reference.astype(np.float64) - other)
    before, after = reference.argmax(axis=1), other.argmax(axis=1)
    return Parity(
        images=len(labels),
        # A NaN anywhere makes these NaN, and no limit holds for NaN.
        largest_difference=float(differences.max()),
        worst=int(differences.max(axis=1).argmax()),
        mean_difference=float(differences.mean()),
        label_disagreement=int((before != after).sum()) / len(labels),
        correct_before=int((before == labels).sum()),
        correct_after=int((after == labels).sum()),
        only_before=int(((before == labels) & (after != labels)).sum()),
        only_after=int(((before != labels) & (after == labels)).sum()),
    )


def loss_interval(parity: Parity, confidence: float) -> tuple[float, float]:
    """The interval of the loss in accuracy, for two models on the same images; see `paired_interval`."""
    return paired_interval(parity.only_before, parity.only_after, parity.images, confidence)
