"""The scores of one set of predictions: the headline, and a row for each class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from darkroom.runtime.arrays import Float32s, Float64s, Int64s
from darkroom.statistics.intervals import bootstrap_macro, mean_interval, wilson
from darkroom.statistics.metrics import (
    ClassScores,
    accuracy,
    averages,
    class_scores,
    confusion_counts,
    negative_log_likelihoods,
)

# Digits after the point in every file: a millionth is far below any interval, and the files stay readable.
DIGITS = 6


@dataclass(frozen=True)
class ClassRow:
    """One line of the classification report, and of `per_class.json`.

    Attributes:
        name: of the class.
        images: test images of the class.
        predicted: test images predicted as the class.
        correct: test images that are both.
        precision, recall, f1: with the ends of their intervals.
    """

    name: str
    images: int
    predicted: int
    correct: int
    precision: float
    precision_low: float
    precision_high: float
    recall: float
    recall_low: float
    recall_high: float
    f1: float
    f1_low: float
    f1_high: float


@dataclass(frozen=True)
class Scorecard:
    """Scores of predictions, with intervals.

    Attributes:
        headline: the numbers over all classes, by their names in `metrics.json`.
        rows: of the classes, in class-list order.
    """

    headline: dict[str, float]
    rows: list[ClassRow]


def score(actual: Int64s, probabilities: Float32s, names: tuple[str, ...], confidence: float) -> Scorecard:
    """Score predictions; the predicted class is the one with the highest probability, the first of equals.

    Args:
        actual: int64 [N], labels.
        probabilities: float32 [N, K].
        names: in class-list order.
        confidence: of every interval, 0.95 for 95%.
    """
    counts = confusion_counts(actual, probabilities.argmax(axis=1), probabilities.shape[1])
    scores = class_scores(counts)
    losses = negative_log_likelihoods(probabilities, actual)
    loss_low, loss_high = mean_interval(losses, confidence)  # below 0 there is no loss
    means, macro = averages(scores), bootstrap_macro(counts, confidence)
    headline = {
        **_with_ends("accuracy", accuracy(counts), wilson(np.trace(counts), len(actual), confidence)),
        **_with_ends("macro_f1", means["macro_f1"], macro["f1"]),
        **_with_ends("macro_precision", means["macro_precision"], macro["precision"]),
        **_with_ends("macro_recall", means["macro_recall"], macro["recall"]),
        "weighted_precision": means["weighted_precision"],
        "weighted_recall": means["weighted_recall"],
        "weighted_f1": means["weighted_f1"],
        **_with_ends("loss", losses.mean(), (max(loss_low, 0.0), loss_high)),
    }
    rounded = {name: round(value, DIGITS) for name, value in headline.items()} | {"images": len(actual)}
    return Scorecard(rounded, _class_rows(scores, names, confidence))


def _class_rows(scores: ClassScores, names: tuple[str, ...], confidence: float) -> list[ClassRow]:
    columns = {
        "precision": (scores.precision, wilson(scores.correct, scores.predicted, confidence)),
        "recall": (scores.recall, wilson(scores.correct, scores.support, confidence)),
        "f1": (scores.f1, f1_ends(scores, confidence)),
    }
    return [
        ClassRow(
            name=name,
            images=int(scores.support[k]),
            predicted=int(scores.predicted[k]),
            correct=int(scores.correct[k]),
            **{
                f"{column}{end}": round(float(each[k]), DIGITS)
                for column, (value, (low, high)) in columns.items()
                for end, each in (("", value), ("_low", low), ("_high", high))
            },
        )
        for k, name in enumerate(names)
    ]


def f1_ends(scores: ClassScores, confidence: float) -> tuple[Float64s, Float64s]:
    """The intervals of each class's F1, its lower and its upper ends, float64 [K] twice.

    Among the images that are of a class or were predicted as it, let J be the share that is both. Given their number, those
    that are both follow a binomial law, so Wilson's interval holds for J; and F1 is 2J / (1 + J), which rises with J, so
    that the ends of J give those of F1.
    """
    either = scores.support + scores.predicted - scores.correct
    low, high = (2 * end / (1 + end) for end in wilson(scores.correct, either, confidence))
    return low, high


def _with_ends(name: str, value: Any, ends: tuple[Any, Any]) -> dict[str, float]:
    low, high = ends
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
