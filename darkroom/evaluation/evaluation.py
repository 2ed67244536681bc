"""Everything that one set of logits says about a model: right and wrong, ranking, confidence, abstention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.evaluation.coverage import AtThreshold, RiskCoverage, at_threshold, risk_coverage
from darkroom.evaluation.ranking import Curve, TopK, precision_recall, roc, top_k
from darkroom.evaluation.scorecard import Scorecard, score
from darkroom.inference.logits import softmax
from darkroom.statistics.calibration import (
    Calibration,
    ReliabilityBin,
    brier,
    expected_calibration_error,
    reliability,
)
from darkroom.statistics.intervals import Estimate, mean_interval
from darkroom.statistics.metrics import Int64s, negative_log_likelihoods

# Of these, those that are fewer than the classes.
KS = (1, 2, 3, 5, 10)


@dataclass(frozen=True)
class Sureness:
    """How well confidence says how often an answer is right.

    Attributes:
        ece: expected calibration error.
        brier: Brier score.
        loss: mean negative log-likelihood, nats.
        bins: confidence beside accuracy.
    """

    ece: Estimate
    brier: Estimate
    loss: Estimate
    bins: list[ReliabilityBin]


@dataclass(frozen=True)
class Evaluation:
    """What was found on the test images; all but `before` with calibrated probabilities.

    Attributes:
        probabilities: float32 [N, K], calibrated.
        right: bool [N], whether the class named is the right one.
        card: counts, scores by class, the headline.
        top: top-k accuracies.
        roc, precision_recall: macro and micro average, then class by class.
        calibration: temperature and threshold, from validation.
        before, after: calibration.
        coverage: risk against coverage.
        answered: at the threshold.
    """

    probabilities: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    card: Scorecard
    top: list[TopK]
    roc: list[Curve]
    precision_recall: list[Curve]
    calibration: Calibration
    before: Sureness
    after: Sureness
    coverage: RiskCoverage
    answered: AtThreshold


def evaluate(
    logits: npt.NDArray[np.float32],
    labels: Int64s,
    classes: Sequence[str],
    calibration: Calibration,
    confidence: float,
) -> Evaluation:
    """Score logits many ways.

    Args:
        logits: float32 [N, K], of the test images.
        labels: int64 [N].
        classes: names, in class-list order.
        calibration: from validation images.
        confidence: of every interval, 0.95 for 95%.
    """
    probabilities = softmax(logits, calibration.temperature)
    confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return Evaluation(
        probabilities=probabilities,
        right=right,
        card=score(labels, probabilities, confidence),
        top=top_k(probabilities, labels, [k for k in KS if k < len(classes)], confidence),
        roc=roc(probabilities, labels, classes, confidence),
        precision_recall=precision_recall(probabilities, labels, classes, confidence),
        calibration=calibration,
        before=_sureness(softmax(logits, 1.0), labels, confidence),
        after=_sureness(probabilities, labels, confidence),
        coverage=risk_coverage(confidences, right),
        answered=at_threshold(confidences, right, calibration.threshold, confidence),
    )


def _sureness(probabilities: npt.NDArray[np.float32], labels: Int64s, confidence: float) -> Sureness:
    losses = negative_log_likelihoods(probabilities, labels)
    low, high = mean_interval(losses, confidence)
    return Sureness(
        ece=expected_calibration_error(probabilities, labels, confidence),
        brier=brier(probabilities, labels, confidence),
        loss=Estimate(float(losses.mean()), max(low, 0.0), high),
        bins=reliability(probabilities, labels, confidence),
    )
