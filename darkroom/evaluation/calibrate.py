"""Temperature and abstention threshold, from validation images."""

import numpy as np
import numpy.typing as npt

from darkroom.evaluation.coverage import at_threshold, threshold_for_precision
from darkroom.inference.logits import softmax
from darkroom.statistics.calibration import DIGITS, Calibration, fit_temperature
from darkroom.statistics.metrics import Int64s


def calibrate(
    logits: npt.NDArray[np.float32], labels: Int64s, target_precision: float, confidence: float
) -> Calibration:
    """Fit the temperature, then find the threshold on the calibrated confidences of the same images.

    Args:
        logits: float32 [N, K], of validation images.
        labels: int64 [N].
        target_precision: share of the answers given that must be right.
        confidence: of the promise and of the intervals, 0.95 for 95%.
    """
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    threshold = threshold_for_precision(sure, right, target_precision, confidence)
    reached = at_threshold(sure, right, threshold, confidence)
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        target_precision=target_precision,
        coverage=round(reached.coverage, DIGITS),
        precision=round(reached.precision, DIGITS),
        precision_low=round(reached.precision_low, DIGITS),
        precision_high=round(reached.precision_high, DIGITS),
        images=reached.images,
    )
