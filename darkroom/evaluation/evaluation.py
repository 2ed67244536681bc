"""All that one set of logits says about a model: its mistakes, ranking, confidence, abstention."""

from dataclasses import dataclass

import numpy as np

from darkroom.evaluation.coverage import (
    AtThreshold,
    RiskCoverage,
    at_threshold,
    risk_coverage,
    threshold_for_precision,
)
from darkroom.evaluation.ranking import Curve, TopK, precision_recall, roc, top_k
from darkroom.evaluation.scorecard import ClassRow, score
from darkroom.inference.predictions import Predictions
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.statistics.calibration import ReliabilityBin, brier, expected_calibration_error, reliability
from darkroom.statistics.intervals import Estimate, mean_interval
from darkroom.statistics.metrics import negative_log_likelihoods
from darkroom.statistics.temperature import DIGITS, Calibration, fit_temperature, softmax

# Of these, those that are fewer than the classes.
KS = (1, 2, 3, 5, 10)

# With so many validation images the threshold and the temperature are steady without training images.
ENOUGH_VALIDATION = 1_000


def calibration_images(predictions: Predictions) -> tuple[Float32s, Int64s, int]:
    """What a model is calibrated on: validation images, and where they are few, training images answered out of fold.

    The latter only where `train` fitted the last layer by cross-validation: then its folds' heads differ from the one that is
    shipped by a fifth of the images that they were fitted to, and are as sure of images that they did not learn.

    Returns:
        Logits float32 [N, K], labels int64 [N], and how many of the images are training images.
    """
    validation, train = predictions.validation, predictions.train
    if not predictions.run.cross_validated or len(validation.labels) >= ENOUGH_VALIDATION:
        return validation.answers, validation.labels, 0
    judged = train.answers.any(axis=1)
    logits = np.log(np.maximum(train.answers[judged], np.finfo(np.float32).tiny))
    both = np.concatenate([validation.answers, logits]), np.concatenate([validation.labels, train.labels[judged]])
    return *both, int(judged.sum())


def calibrate(
    logits: Float32s, labels: Int64s, target_precision: float, confidence: float, out_of_fold_images: int = 0
) -> Calibration:
    """Fit the temperature, then find the abstention threshold on the calibrated confidences of the same images.

    Args:
        logits: float32 [N, K], as `calibration_images` gives them.
        labels: int64 [N].
        target_precision: share of the answers given that must be correct.
        confidence: of the promise and of the intervals, 0.95 for 95%.
        out_of_fold_images: how many of the images are training images.
    """
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    confidences, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    threshold = threshold_for_precision(confidences, correct, target_precision, confidence)
    reached = at_threshold(confidences, correct, threshold, confidence)
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        target_precision=target_precision,
        coverage=round(reached.coverage, DIGITS),
        precision=round(reached.precision, DIGITS),
        precision_low=round(reached.precision_low, DIGITS),
        precision_high=round(reached.precision_high, DIGITS),
        images=reached.images,
        out_of_fold_images=out_of_fold_images,
    )


@dataclass(frozen=True)
class CalibrationMetrics:
    """How well confidences agree with accuracies.

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
    """The scores on the test images; all but `before` with calibrated probabilities.

    Attributes:
        confidence: of every interval.
        headline: the numbers over all classes, by their names in `metrics.json`.
        rows: of the classes, in class-list order.
        top: top-k accuracies.
        roc, precision_recall: macro and micro average, then class by class.
        calibration: temperature and threshold, from validation.
        temperature_interval: of that temperature.
        before, after: calibration metrics.
        coverage: risk against coverage.
        answered: at the threshold.
    """

    confidence: float
    headline: dict[str, float]
    rows: list[ClassRow]
    top: list[TopK]
    roc: list[Curve]
    precision_recall: list[Curve]
    calibration: Calibration
    temperature_interval: tuple[float, float]
    before: CalibrationMetrics
    after: CalibrationMetrics
    coverage: RiskCoverage
    answered: AtThreshold


def evaluate(
    logits: Float32s,
    labels: Int64s,
    names: tuple[str, ...],
    calibration: Calibration,
    temperature_interval: tuple[float, float],
    confidence: float,
) -> Evaluation:
    """Score logits many ways.

    Args:
        logits: float32 [N, K], of the test images.
        labels: int64 [N].
        names: in class-list order.
        calibration: from validation images.
        temperature_interval: of its temperature.
        confidence: of every interval, 0.95 for 95%.
    """
    probabilities = softmax(logits, calibration.temperature)
    confidences, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    card = score(labels, probabilities, names, confidence)
    return Evaluation(
        confidence=confidence,
        headline=card.headline,
        rows=card.rows,
        top=top_k(probabilities, labels, [k for k in KS if k < len(names)], confidence),
        roc=roc(probabilities, labels, names, confidence),
        precision_recall=precision_recall(probabilities, labels, names, confidence),
        calibration=calibration,
        temperature_interval=temperature_interval,
        before=_calibration_metrics(softmax(logits), labels, confidence),
        after=_calibration_metrics(probabilities, labels, confidence),
        coverage=risk_coverage(confidences, correct),
        answered=at_threshold(confidences, correct, calibration.threshold, confidence),
    )


def _calibration_metrics(probabilities: Float32s, labels: Int64s, confidence: float) -> CalibrationMetrics:
    losses = negative_log_likelihoods(probabilities, labels)
    low, high = mean_interval(losses, confidence)
    return CalibrationMetrics(
        ece=expected_calibration_error(probabilities, labels, confidence),
        brier=brier(probabilities, labels, confidence),
        loss=Estimate(float(losses.mean()), max(low, 0.0), high),
        bins=reliability(probabilities, labels, confidence),
    )
