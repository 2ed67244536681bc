"""How well probabilities rank the true class first: top-k, ROC and precision-recall curves with the areas under them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from darkroom.runtime.arrays import Float32s, Float64s, Int64s
from darkroom.statistics.areas import Ranked, area_interval, average_precision, rank, roc_area
from darkroom.statistics.intervals import wilson

# Of a curve as it is drawn and written.
POINTS = 200


@dataclass(frozen=True)
class TopK:
    """The share of images whose true class is among the `k` likeliest, with the ends of its interval (Wilson)."""

    k: int
    accuracy: float
    low: float
    high: float


def top_k(probabilities: Float32s, labels: Int64s, ks: Sequence[int], confidence: float) -> list[TopK]:
    """Top-k accuracy for each of `ks`; of equally likely classes the first in the class list goes first.

    Args:
        probabilities: float32 [N, K].
        labels: int64 [N].
        ks: each at least 1.
        confidence: of the intervals, 0.95 for 95%.
    """
    given = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    ahead = ((probabilities > given) | ((probabilities == given) & before)).sum(axis=1)
    rows = []
    for k in ks:
        hits = int((ahead < k).sum())
        low, high = wilson(hits, len(labels), confidence)
        rows.append(TopK(k, hits / len(labels), float(low), float(high)))
    return rows


@dataclass(frozen=True)
class Curve:
    """One class against the rest, or an average over classes.

    Attributes:
        name: of the class, or `macro average`, `micro average`.
        x, y: the curve from left to right, at most 200 points. ROC: false positive rate, true positive rate.
            Precision-recall: recall, precision.
        area: the area under the ROC curve, or the average precision; of all points, not only of those shown.
        area_low, area_high: its interval.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    area: float
    area_low: float
    area_high: float


def roc(probabilities: Float32s, labels: Int64s, classes: Sequence[str], confidence: float) -> list[Curve]:
    """ROC curves: the macro average (classes count alike), the micro average (every image and class a decision of its own),
    then each class against the rest in class-list order. A class of no image, or of all images, has no curve.

    The area is scikit-learn's `roc_auc_score`.

    Args:
        probabilities: float32 [N, K].
        labels: int64 [N].
        classes: names, in class-list order.
        confidence: of the areas' intervals, 0.95 for 95%.
    """
    return _curves(probabilities, labels, classes, confidence, _roc_points, roc_area)


def precision_recall(probabilities: Float32s, labels: Int64s, classes: Sequence[str], confidence: float) -> list[Curve]:
    """Precision-recall curves, like `roc`; the area is the average precision, scikit-learn's `average_precision_score`."""
    return _curves(probabilities, labels, classes, confidence, _precision_recall_points, average_precision)


Points = tuple[Float64s, Float64s]


def _curves(
    probabilities: Float32s,
    labels: Int64s,
    classes: Sequence[str],
    confidence: float,
    points: Callable[[Ranked], Points],
    area: Callable[[Ranked], tuple[float, Float64s]],
) -> list[Curve]:
    positive = labels[:, None] == np.arange(len(classes))
    tested = [k for k in range(len(classes)) if 0 < positive[:, k].sum() < len(labels)]
    if not tested:
        return []
    # The mean of the curves is taken where it is drawn.
    grid = np.linspace(0, 1, POINTS)
    heights, areas, influence = np.zeros(POINTS), 0.0, np.zeros(len(labels))
    each = []
    for k in tested:
        ranked = rank(probabilities[:, k], positive[:, k])
        x, y = points(ranked)
        value, pull = area(ranked)
        heights, areas, influence = heights + np.interp(grid, x, y), areas + value, influence + pull
        each.append(_curve(classes[k], x, y, value, pull, int(positive[:, k].sum()), confidence))
    n = len(tested)
    macro = _curve("macro average", grid, heights / n, areas / n, influence / n, len(labels), confidence)
    ranked = rank(probabilities.ravel(), positive.ravel())
    value, pull = area(ranked)
    # The decisions about one image are not independent: its pulls act together.
    pull = pull.reshape(positive.shape).sum(axis=1)
    micro = _curve("micro average", *points(ranked), value, pull, len(labels), confidence)
    return [macro, micro, *each]


def _curve(
    name: str, x: Float64s, y: Float64s, area: float, influence: Float64s, images: int, confidence: float
) -> Curve:
    low, high = area_interval(area, influence, images, confidence)
    points = thin(x, y)
    return Curve(name, tuple(x[points].tolist()), tuple(y[points].tolist()), area, low, high)


def _roc_points(ranked: Ranked) -> Points:
    return (
        np.concatenate([[0.0], ranked.false / ranked.false[-1]]),
        np.concatenate([[0.0], ranked.true / ranked.true[-1]]),
    )


def _precision_recall_points(ranked: Ranked) -> Points:
    precision = ranked.true / (ranked.true + ranked.false)
    return (
        np.concatenate([[0.0], ranked.true / ranked.true[-1]]),
        np.concatenate([[1.0], precision]),
    )


def thin(x: Float64s, y: Float64s) -> Int64s:
    """The points of a polyline that show its shape: its ends, and points evenly spaced along it.

    A curve inside the unit square that rises or falls all the way is at most 2 long (in steps across and up), so that
    nothing left out lies further than 0.01 from the others: 3 pixels of a drawing 300 pixels wide.

    Args:
        x, y: float64 [N].

    Returns:
        int64, at most 200 rising positions; all of them where there are no more points.
    """
    if len(x) <= POINTS:
        return np.arange(len(x))
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    points = np.searchsorted(way, np.linspace(0, way[-1], POINTS))
    points[-1] = len(x) - 1
    return np.unique(points)
