"""Metrics as functions of counts: everything is counted once, over all images, and divided once.

The zero-division rule, here and on every page: a ratio of nothing to nothing counts as 0, as scikit-learn's
`zero_division=0` does. A class that has no image and is never predicted takes no part in averages over classes.
"""

from dataclasses import dataclass

import numpy as np

from darkroom.runtime.arrays import Float32s, Float64s, Int64s

# The least probability that a float32 holds in full precision; log of a true 0 would make the whole loss infinite.
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class ClassScores:
    """Scores of every class, in class-list order.

    Attributes:
        support: int64 [K], images that are of the class.
        predicted: int64 [K], images that were predicted as the class.
        correct: int64 [K], images that are of the class and were predicted as it.
        precision: float64 [K], correct / predicted.
        recall: float64 [K], correct / support.
        f1: float64 [K], 2 correct / (predicted + support), which is the harmonic mean of the two.
    """

    support: Int64s
    predicted: Int64s
    correct: Int64s
    precision: Float64s
    recall: Float64s
    f1: Float64s


def confusion_counts(actual: Int64s, predicted: Int64s, classes: int) -> Int64s:
    """How many images of class `i` were predicted as `j`.

    Args:
        actual: int64 [N], labels.
        predicted: int64 [N].
        classes: K, how many classes there are.

    Returns:
        int64 [K, K], actual down, predicted across.
    """
    return np.bincount(actual * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def accuracy(counts: Int64s) -> float:
    """The share of images that were predicted correctly, from int64 [K, K]."""
    return float(np.trace(counts) / counts.sum())


def class_scores(counts: Int64s) -> ClassScores:
    """Precision, recall and F1 of every class, from int64 [K, K]."""
    support, predicted, correct = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    return ClassScores(
        support=support,
        predicted=predicted,
        correct=correct,
        precision=_ratio(correct, predicted),
        recall=_ratio(correct, support),
        f1=_ratio(2 * correct, predicted + support),
    )


def averages(scores: ClassScores) -> dict[str, float]:
    """Macro (classes count equally) and weighted (by their images) averages of precision, recall and F1."""
    present = (scores.support + scores.predicted) > 0
    columns = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
    macro = {f"macro_{name}": float(values[present].mean()) for name, values in columns.items()}
    weights = scores.support / scores.support.sum()
    weighted = {f"weighted_{name}": float((weights * values).sum()) for name, values in columns.items()}
    return macro | weighted


def negative_log_likelihoods(probabilities: Float32s, actual: Int64s) -> Float64s:
    """-ln of the probability given to the label, for each image, in nats; the mean is the log loss.

    Args:
        probabilities: float32 [N, K]; one below 1.2e-38 counts as 1.2e-38.
        actual: int64 [N], labels.
    """
    given = probabilities[np.arange(len(actual)), actual].astype(np.float64)
    # Adding 0 turns the -0.0 of a perfect answer into 0.
    return -np.log(np.maximum(given, LEAST_PROBABILITY)) + 0.0


def _ratio(part: Int64s, whole: Int64s) -> Float64s:
    """part / whole, and 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
