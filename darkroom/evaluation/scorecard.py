"""All numbers about one set of predictions; `metrics.json`, `per_class.json` and the report say what stands here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.statistics.intervals import bootstrap_macro, mean_interval, wilson
from darkroom.statistics.metrics import (
    ClassScores,
    Int64s,
    accuracy,
    averages,
    class_scores,
    confusion_counts,
    negative_log_likelihoods,
)

# Digits after the point in every file: a millionth is far below any interval, and the files stay readable.
DIGITS = 6


@dataclass(frozen=True)
class Scorecard:
    """Scores of predictions, with intervals.

    Attributes:
        confidence: of every interval.
        counts: int64 [K, K], actual down, predicted across.
        scores: of every class.
        precision_interval: float64 [K] twice, the lower and the upper ends (Wilson).
        recall_interval: likewise.
        f1_interval: likewise; see `f1_ends`.
        headline: the numbers over all classes, by their names in `metrics.json`.
    """

    confidence: float
    counts: Int64s
    scores: ClassScores
    precision_interval: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    recall_interval: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    f1_interval: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    headline: dict[str, float]


def score(actual: Int64s, probabilities: npt.NDArray[np.float32], confidence: float) -> Scorecard:
    """Score predictions; the class named is the one with the highest probability, the first of equals.

    Args:
        actual: int64 [N], labels.
        probabilities: float32 [N, K].
        confidence: of every interval, 0.95 for 95%.
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(actual, predicted, probabilities.shape[1])
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
    return Scorecard(
        confidence=confidence,
        counts=counts,
        scores=scores,
        precision_interval=wilson(scores.right, scores.named, confidence),
        recall_interval=wilson(scores.right, scores.support, confidence),
        f1_interval=f1_ends(scores, confidence),
        headline={name: round(value, DIGITS) for name, value in headline.items()} | {"images": len(actual)},
    )


def f1_ends(scores: ClassScores, confidence: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The intervals of each class's F1, its lower and its upper ends, float64 [K] twice.

    Among the images that are of a class or were named after it, let J be the share that is both. Given their number, those
    that are both follow a binomial law, so Wilson's interval holds for J; and F1 is 2J / (1 + J), which rises with J, so
    that the ends of J give those of F1.
    """
    either = scores.support + scores.named - scores.right
    low, high = (2 * end / (1 + end) for end in wilson(scores.right, either, confidence))
    return low, high


def _with_ends(name: str, value: Any, ends: tuple[Any, Any]) -> dict[str, float]:
    low, high = ends
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


@dataclass(frozen=True)
class ClassRow:
    """One line of the classification report.

    Attributes:
        name: of the class.
        images: test images of the class.
        named: test images named after it.
        right: test images that are and were.
        precision, recall, f1: with the ends of their intervals.
    """

    name: str
    images: int
    named: int
    right: int
    precision: float
    precision_low: float
    precision_high: float
    recall: float
    recall_low: float
    recall_high: float
    f1: float
    f1_low: float
    f1_high: float


def class_rows(card: Scorecard, names: tuple[str, ...]) -> list[ClassRow]:
    """The classification report, in class-list order."""
    columns = {
        "precision": card.scores.precision,
        "precision_low": card.precision_interval[0],
        "precision_high": card.precision_interval[1],
        "recall": card.scores.recall,
        "recall_low": card.recall_interval[0],
        "recall_high": card.recall_interval[1],
        "f1": card.scores.f1,
        "f1_low": card.f1_interval[0],
        "f1_high": card.f1_interval[1],
    }
    return [
        ClassRow(
            name=name,
            images=int(card.scores.support[k]),
            named=int(card.scores.named[k]),
            right=int(card.scores.right[k]),
            **{column: round(float(values[k]), DIGITS) for column, values in columns.items()},
        )
        for k, name in enumerate(names)
    ]
