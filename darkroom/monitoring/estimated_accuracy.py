"""Accuracy in service: estimated without labels, and measured with few of them."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from darkroom.bundle.reference_rows import ReferenceRows
from darkroom.runtime.arrays import Bools, Float64s, Int64s
from darkroom.statistics.intervals import wilson

# Where a class has few reference images its row of the confusion matrix borrows one image from correct answers.
PRIOR = 1.0
STEPS = 200
# Points that a measured accuracy may lie off, for the number of labels that are asked.
WANTED = 0.02


@dataclass(frozen=True)
class EstimatedAccuracy:
    """Attributes:
    accuracy: estimated, without labels.
    reference: on the reference's own images, with labels.
    mix: the estimated share of each class, float64 [K].
    images: that it is estimated from.
    """

    accuracy: float
    reference: float
    mix: Float64s
    images: int


def estimate_accuracy(reference: ReferenceRows, predicted: Int64s, confidence: Float64s) -> EstimatedAccuracy:
    """The accuracy that the answers themselves speak for.

    The class mix is the one under which the predicted classes are most probable, by the confusion matrix of the
    reference (Lipton, Wang, Smola 2018: "Detecting and correcting for label shift with black box predictors", by
    maximum likelihood, so that shares are never negative). The accuracy of each class is weighed by it; what confidence
    is lower than that of the reference in the same mix is taken off (Guillory et al. 2021: "Predicting with confidence
    on unseen distributions").

    Its weakness: it believes the confidence. Where images are of a class that the model does not know, or of a part of
    a class that it gets wrong, accuracy was 5 to 12 points lower than such estimates.

    Args:
        reference: of the bundle.
        predicted: of live images, int64 [M], M at least 1.
        confidence: float64 [M].
    """
    classes = len(reference.confusion)
    # Rows of labels: P(predicted | label), with one image more on the diagonal.
    confusion = reference.confusion + PRIOR * np.eye(classes)
    given = confusion / confusion.sum(axis=1, keepdims=True)
    mix = class_mix(given, np.bincount(predicted, minlength=classes) / len(predicted))
    found = reference.probabilities.max(axis=1).astype(np.float64)
    counts = np.bincount(reference.labels, minlength=classes)
    means = (np.bincount(reference.labels, found, classes) + found.mean()) / (counts + 1)
    recall = (np.diag(reference.confusion) + np.trace(reference.confusion) / reference.confusion.sum()) / (
        reference.confusion.sum(axis=1) + 1
    )
    accuracy = float(mix @ recall + confidence.mean() - mix @ means)
    whole = float(np.trace(reference.confusion) / reference.confusion.sum())
    return EstimatedAccuracy(float(np.clip(accuracy, 0, 1)), whole, mix, len(predicted))


def class_mix(given: Float64s, predicted: Float64s) -> Float64s:
    """The shares of classes under which predicted classes are most probable, by expectation and maximisation.

    Args:
        given: P(predicted | label), float64 [K, K], a row for each label.
        predicted: shares of the predicted classes, float64 [K].
    """
    mix = np.full(len(predicted), 1 / len(predicted))
    for _ in range(STEPS):
        expected = np.maximum(mix @ given, 1e-12)
        mix = mix * (given @ (predicted / expected))
        mix /= mix.sum()
    return mix


def weighted_accuracy(correct: Bools, weights: Float64s, confidence: float = 0.95) -> tuple[float, float, float]:
    """Accuracy from labels of images that were not asked for with one probability.

    The share is a ratio of weighted sums (Hájek 1971). Its interval is the score interval at the number of labels that
    would say as much if each counted alike: by the spread of weights (Kish 1965) or by the spread of the estimate,
    whichever is fewer.

    Args:
        correct: whether the prediction is right, bool [N], N at least 1.
        weights: how many images each label stands for, 1 / its probability of being asked, float64 [N], above 0.
        confidence: of the interval.

    Returns:
        The accuracy, the lower and the upper end.
    """
    total = weights.sum()
    accuracy = float(weights @ correct / total)
    equal = float(total**2 / (weights**2).sum())
    variance = float((weights**2 @ (correct - accuracy) ** 2) / total**2)
    spread = accuracy * (1 - accuracy) / variance if variance > 0 else equal
    effective = min(equal, spread)
    low, high = wilson(accuracy * effective, effective, confidence)
    return accuracy, float(low), float(high)


def labels_needed(accuracy: float, within: float = WANTED, confidence: float = 0.95) -> int:
    """How many labels, of images asked for at random, give an accuracy to so many points either way.

    Args:
        accuracy: as it is estimated, in [0, 1].
        within: half the width of the interval.
        confidence: of the interval.
    """
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    # As by the score interval: an accuracy of 1 is not known from one label.
    spread = max(accuracy * (1 - accuracy), within * (1 - within) / 2)
    return int(np.ceil(z2 * spread / within**2))
