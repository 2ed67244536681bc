"""Selective prediction: what abstaining at low confidence costs, and the threshold that guarantees a precision."""

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc

from darkroom.evaluation.ranking import thin
from darkroom.runtime.arrays import Bools, Float32s, Float64s
from darkroom.statistics.intervals import wilson

Confidences = Float32s | Float64s

# Thresholds that are tried: those that answer 1%, 2%, … of the images. Of 1, 2, 4, 5 and 10 starts, five found a threshold most
# often and answered most or nearly most images, in simulations of 300 to 5,000 images.
TRIED = 100
STARTS = 5
DIGITS = 6


@dataclass(frozen=True)
class RiskCoverage:
    """The share of wrong answers among those of the highest confidence (El-Yaniv and Wiener 2010: "On the foundations of
    noise-free selective classification").

    Attributes:
        coverage: fractions of the images answered, rising to 1; at most 200 of them.
        risk: the share of those answers that are wrong.
        area: the mean risk over all numbers of images answered (AURC); less is better.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


def risk_coverage(confidence: Confidences, correct: Bools) -> RiskCoverage:
    """Risk at every coverage, the highest confidence first.

    Among images of equal confidence the mistakes count as evenly spread, so that the order of the images does not matter.

    Args:
        confidence: [N], of the predicted class.
        correct: bool [N], whether it is the label.
    """
    _, group, sizes = np.unique(-confidence.astype(np.float64), return_inverse=True, return_counts=True)
    wrong = np.bincount(group, ~correct)
    answered = np.arange(1, len(correct) + 1)
    risk = np.cumsum(np.repeat(wrong / sizes, sizes)) / answered
    coverage = answered / len(correct)
    points = thin(coverage, risk)
    return RiskCoverage(tuple(coverage[points].tolist()), tuple(risk[points].tolist()), float(risk.mean()))


def threshold_for_precision(confidence: Confidences, correct: Bools, target: float, level: float) -> float | None:
    """The smallest threshold that reaches a precision with probability `level` on new images.

    For each threshold tried, the exact binomial test asks whether precision is below the target. Trying many would find one
    by luck; so the tests follow a fixed order, from few answers to many, and stop at the first that fails; as the first few
    have too few images to succeed, five such sequences start at 20%, 40%, … of the images, each at a fifth of the probability
    of error (fixed-sequence testing from several starts: Angelopoulos et al. 2021, "Learn then test"; for one threshold
    Geifman and El-Yaniv 2017, "Selective classification for deep neural networks").

    Args:
        confidence: [N], of images that were not trained on.
        correct: bool [N].
        target: the share of answers that must be correct.
        level: 0.95 to be wrong about it once in twenty times.

    Returns:
        Answers of at least this confidence are given; to a millionth, rounded down. None where no threshold passes.
    """
    falling = -np.sort(-confidence.astype(np.float64))
    places = np.ceil(np.arange(1, TRIED + 1) / TRIED * len(falling)).astype(np.int64) - 1
    tried = -np.unique(-_floor(falling[places]))
    order = np.argsort(-confidence, kind="stable")
    hits = np.concatenate([[0], np.cumsum(correct[order])])
    answered = np.searchsorted(-falling, -tried, side="right")
    passed = bdtrc(hits[answered] - 1, answered, target) <= (1 - level) / STARTS
    best: float | None = None
    for start in range(len(tried) - 1, -1, -(TRIED // STARTS)):
        failures = np.flatnonzero(~passed[start:])
        reached = start + (int(failures[0]) if len(failures) else len(tried) - start) - 1
        if reached >= start and (best is None or tried[reached] < best):
            best = float(tried[reached])
    return best


def _floor(values: Float64s) -> Float64s:
    rounded: Float64s = np.round(np.floor(values * 10**DIGITS) / 10**DIGITS, DIGITS)
    return rounded


@dataclass(frozen=True)
class AtThreshold:
    """What a model answers at one threshold.

    Attributes:
        threshold: None: all images are answered.
        images: how many were asked about.
        answered: of those, how many the model answers.
        correct: of those, how many correctly.
        coverage: answered / images, with the ends of its interval.
        precision: correct / answered, with the ends of its interval; 0 where nothing is answered.
    """

    threshold: float | None
    images: int
    answered: int
    correct: int
    coverage: float
    coverage_low: float
    coverage_high: float
    precision: float
    precision_low: float
    precision_high: float


def at_threshold(confidence: Confidences, correct: Bools, threshold: float | None, level: float) -> AtThreshold:
    """Coverage and precision at a threshold, with their intervals (Wilson).

    Args:
        confidence: [N].
        correct: bool [N].
        threshold: answers of at least this confidence are given; None: all.
        level: of the intervals, 0.95 for 95%.
    """
    given = np.ones(len(correct), dtype=np.bool_) if threshold is None else confidence >= threshold
    images, answered, hits = len(correct), int(given.sum()), int(correct[given].sum())
    coverage_low, coverage_high = wilson(answered, images, level)
    precision_low, precision_high = wilson(hits, answered, level)
    return AtThreshold(
        threshold=threshold,
        images=images,
        answered=answered,
        correct=hits,
        coverage=answered / images,
        coverage_low=float(coverage_low),
        coverage_high=float(coverage_high),
        precision=hits / answered if answered else 0.0,
        precision_low=float(precision_low),
        precision_high=float(precision_high),
    )
