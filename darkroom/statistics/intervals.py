"""Confidence intervals: how far a number may lie from that of another test set of the same size and kind."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float64s, Int64s

RESAMPLES = 2_000
# Keeps one chunk of draws below some 50 MB at a thousand classes.
CHUNK = 200


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its interval."""

    value: float
    low: float
    high: float


def wilson(part: npt.ArrayLike, whole: npt.ArrayLike, confidence: float) -> tuple[Float64s, Float64s]:
    """The score interval of a share (Wilson 1927: "Probable inference, the law of succession, and statistical inference").

    Its coverage is close to the confidence for small counts and for shares near 0 and 1, too, where that of ±z·s is not.

    Args:
        part: how many are correct, a number or [K].
        whole: of how many, a number or [K]; of none nothing is known, and the interval is 0 to 1.
        confidence: 0.95 for a 95% interval.

    Returns:
        The lower and the upper end, each with the shape of `part`.
    """
    correct, n = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    centre = (correct + z2 / 2) / (n + z2)
    reach = np.sqrt(z2 * (correct * (n - correct) / np.maximum(n, 1) + z2 / 4)) / (n + z2)
    # At a share of 0 or 1 the end is that share exactly; rounding must not push it past.
    return np.where(correct == 0, 0.0, centre - reach), np.where(correct == n, 1.0, centre + reach)


def mean_interval(values: Float64s, confidence: float) -> tuple[float, float]:
    """The interval of a mean by the central limit theorem: the mean, give or take z standard errors.

    Args:
        values: float64 [N]. A single one says nothing of its spread: the interval is then that value alone.
        confidence: 0.95 for a 95% interval.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean() - z * error), float(values.mean() + z * error)


def bootstrap_macro(counts: Int64s, confidence: float, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Intervals of macro precision, recall and F1 (Efron 1979: "Bootstrap methods: another look at the jackknife").

    Drawing N test images again with replacement is the same as drawing the cells of the confusion matrix from a
    multinomial, so 2,000 new test sets cost milliseconds with ten classes, and some seconds with a thousand.

    With few images a class, F1 of a sample lies below F1 of its source, and F1 of a resample below that of the sample: by
    the bias that the bootstrap estimates (Efron and Tibshirani 1993: "An introduction to the bootstrap", chapter 10). The
    percentiles are moved up by twice that bias, to where the source is, and reach at least to the value itself.
    Without it, 95% intervals held the true macro F1 in 55% of simulations with 100 classes of 5 images, and in 85% with
    200 of 50; with it, in 97% and 96%.

    A matrix without a single mistake, or without a single correct prediction, only ever yields itself and would claim
    certainty; the three are then the accuracy, 1 or 0, and the interval is Wilson's.

    Args:
        counts: int64 [K, K], actual down, predicted across.
        confidence: 0.95 for a 95% interval.
        seed: of the draws; the same counts and seed give the same intervals.

    Returns:
        By name, `precision`, `recall` and `f1`: the lower and the upper end.
    """
    correct, images = int(np.trace(counts)), int(counts.sum())
    if correct in (0, images):
        low, high = wilson(correct, images, confidence)
        return dict.fromkeys(("precision", "recall", "f1"), (float(low), float(high)))
    rows, columns = np.nonzero(counts)
    shares = counts[rows, columns] / images
    generator = np.random.default_rng(seed)
    chunks = [
        macro_of_draws(generator.multinomial(images, shares, size=CHUNK), rows, columns, len(counts))
        for _ in range(RESAMPLES // CHUNK)
    ]
    ends = [0.5 - confidence / 2, 0.5 + confidence / 2]
    intervals = {}
    for name, (value,) in macro_of_draws(counts[rows, columns][None], rows, columns, len(counts)).items():
        drawn = np.concatenate([chunk[name] for chunk in chunks])
        low, high = np.clip(np.quantile(drawn, ends) - 2 * (drawn.mean() - value), 0, 1)
        intervals[name] = (float(min(low, value)), float(max(high, value)))
    return intervals


def macro_of_draws(draws: Int64s, rows: Int64s, columns: Int64s, classes: int) -> dict[str, Float64s]:
    """Macro precision, recall and F1 of each draw, float64 [R] each, by the rules of `darkroom.statistics.metrics`.

    Args:
        draws: int64 [R, cells]; cell `c` counts images of class `rows[c]` predicted as `columns[c]`.
        rows, columns: int64 [cells].
        classes: how many there are.
    """
    diagonal = rows == columns
    correct = _sums(draws[:, diagonal], rows[diagonal], classes)
    support, predicted = _sums(draws, rows, classes), _sums(draws, columns, classes)
    present = (support + predicted > 0).sum(axis=1)
    ratios = {"precision": (correct, predicted), "recall": (correct, support), "f1": (2 * correct, support + predicted)}
    return {
        name: np.divide(part, whole, out=np.zeros_like(correct), where=whole > 0).sum(axis=1) / present
        for name, (part, whole) in ratios.items()
    }


def _sums(draws: Int64s, index: Int64s, classes: int) -> Float64s:
    """The draws of the cells of each class added up, float64 [R, classes]; cell `c` is of class `index[c]`."""
    sums = np.zeros((len(draws), classes))
    order = np.argsort(index, kind="stable")
    members, starts = np.unique(index[order], return_index=True)
    sums[:, members] = np.add.reduceat(draws[:, order], starts, axis=1)
    return sums
