"""Two models on the same images: differences of their scores, which paired images make far more exact, and tests."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from darkroom.runtime.arrays import Float64s, Int64s
from darkroom.statistics.intervals import CHUNK, RESAMPLES, Estimate, macro_of_draws


def accuracy_difference(only_before: int, only_after: int, images: int, confidence: float) -> Estimate:
    """Accuracy after less accuracy before. Only images that changed sides count, whatever the accuracies are.

    Half an image is added to each of the four cells of the two-by-two table before the usual interval of a difference of
    paired shares (Agresti and Min 2005: "Simple improved confidence intervals for comparing matched proportions"), since
    without it no change at all would give an interval of no width.

    Args:
        only_before, only_after: images that only the one model, or only the other, predicts correctly.
        images: that both predicted.
        confidence: 0.95 for a 95% interval.
    """
    n, lost, won = images + 2, only_before + 0.5, only_after + 0.5
    change = (won - lost) / n
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(lost + won - n * change**2) / n
    return Estimate((only_after - only_before) / images, max(-1.0, change - reach), min(1.0, change + reach))


def holm(p: Float64s) -> Float64s:
    """Adjust p-values for many tests, so that the probability of even one false finding stays below the level.

    Holm 1979: "A simple sequentially rejective multiple test procedure"; it holds however the tests depend on each other.

    Args:
        p: float64 [M].

    Returns:
        float64 [M], in the same order; a finding is what lies below the level.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty(len(p))
    result[order] = np.minimum(adjusted, 1)
    return result


@dataclass(frozen=True)
class MacroF1:
    """Macro F1 of both models and after less before."""

    before: float
    after: float
    difference: Estimate


def macro_f1_difference(
    labels: Int64s, before: Int64s, after: Int64s, classes: int, confidence: float, seed: int = 0
) -> MacroF1:
    """Macro F1 after less before, with the interval of a paired bootstrap: the same images are drawn for both models.

    Drawing images is drawing the cells of the table label x prediction before x prediction after from a multinomial; the ends
    are moved by twice the bias that the bootstrap estimates and reach at least to the value (as `bootstrap_macro` explains).
    Where no prediction differs, the two are equal on every sample: the interval is then 0 to 0.

    Args:
        labels, before, after: int64 [N], the label, and the prediction of each model.
        classes: how many there are.
        confidence: 0.95 for a 95% interval.
        seed: of the draws; the same predictions and seed give the same interval.
    """
    cells, counts = np.unique(np.stack([labels, before, after]), axis=1, return_counts=True)
    generator = np.random.default_rng(seed)

    def scores(draws: Int64s) -> tuple[Float64s, Float64s]:
        old, new = (macro_of_draws(draws, cells[0], predicted, classes)["f1"] for predicted in cells[1:])
        return old, new

    (old,), (new,) = scores(counts[None])
    chunks = [
        scores(generator.multinomial(len(labels), counts / len(labels), size=CHUNK)) for _ in range(RESAMPLES // CHUNK)
    ]
    drawn = np.concatenate([after_drawn - before_drawn for before_drawn, after_drawn in chunks])
    value = float(new - old)
    ends = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2]) - 2 * (drawn.mean() - value)
    low, high = np.clip(ends, -1, 1).tolist()
    return MacroF1(float(old), float(new), Estimate(value, min(low, value), max(high, value)))
