"""The distance of one model's predictions from another's on the same images."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float32s


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
    """The interval of the loss in accuracy, for two models on the same images.

    Only the images count that one model alone predicts correctly.

    Half an image is added to each of the four cells of the two-by-two table before the usual interval of a difference of
    paired proportions (Agresti and Min 2005: "Simple improved confidence intervals for comparing matched proportions"), since
    without it no change at all would give an interval of no width.

    Args:
        parity: of the two models.
        confidence: 0.95 for 95%.

    Returns:
        The lower and the upper end, within -1 and 1.
    """
    n, lost, won = parity.images + 2, parity.only_before + 0.5, parity.only_after + 0.5
    loss = (lost - won) / n
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(lost + won - n * loss**2) / n
    return max(-1.0, loss - reach), min(1.0, loss + reach)
