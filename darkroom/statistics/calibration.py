"""Whether a confidence of 90% is right nine times in ten: measured, and mended with one number fitted on validation."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.statistics.calibration_error import calibration_error_interval
from darkroom.statistics.intervals import Estimate, mean_interval, wilson
from darkroom.statistics.metrics import Float64s, Int64s

BINS = 15  # as Guo et al. and most who publish the error
LOWEST, HIGHEST = 0.05, 20.0
DIGITS = 6


@dataclass(frozen=True)
class Calibration:
    """What validation taught about confidence; the numbers are about validation images, at the threshold.

    Attributes:
        temperature: logits are divided by it before the softmax.
        threshold: calibrated confidence below which the model abstains; None when no threshold is sure to reach the target
            precision: the model then always answers, and the numbers below are about all images.
        target_precision: the share of the answers given that should be right.
        coverage: the share of images answered.
        precision: the share of the answers that are right.
        precision_low, precision_high: its interval.
        images: validation images.
    """

    temperature: float
    threshold: float | None
    target_precision: float
    coverage: float
    precision: float
    precision_low: float
    precision_high: float
    images: int

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))


def load_calibration(path: Path) -> Calibration:
    """Read what `Calibration.save` wrote.

    Raises:
        DarkroomError: when there is no such file.
    """
    try:
        return Calibration(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DarkroomError(f"{path} is not there yet: run `dvc repro evaluate`") from None


def fit_temperature(logits: npt.NDArray[np.float32], labels: Int64s) -> float:
    """The temperature that makes right answers likeliest (Guo et al. 2017: "On calibration of modern neural networks").

    The mean negative log-likelihood has one minimum over log T, since it is convex in 1/T. Where every image is answered
    correctly it only falls as T does, and tells nothing about mistakes: T stays 1 then.

    Args:
        logits: float32 [N, K], of images that were not trained on.
        labels: int64 [N].

    Returns:
        Between 0.05 and 20, to a millionth; its loss is never above that of 1.
    """
    # Not above, since whoever reads a calibration in a bundle needs no scipy.
    from scipy.optimize import minimize_scalar

    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    found = minimize_scalar(
        lambda log_t: _loss(logits, labels, float(np.exp(log_t))),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    temperature = round(float(np.exp(found.x)), DIGITS)
    return temperature if _loss(logits, labels, temperature) < _loss(logits, labels, 1.0) else 1.0


def _loss(logits: npt.NDArray[np.float32], labels: Int64s, temperature: float) -> float:
    """The mean negative log-likelihood at a temperature, in nats."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())


def brier(probabilities: npt.NDArray[np.float32], labels: Int64s, confidence: float) -> Estimate:
    """The mean squared distance from the right answer, 0 to 2 (Brier 1950), with its interval.

    Args:
        probabilities: float32 [N, K].
        labels: int64 [N].
        confidence: 0.95 for a 95% interval.
    """
    p = probabilities.astype(np.float64)
    given = p[np.arange(len(labels)), labels]
    distances = (p**2).sum(axis=1) - 2 * given + 1
    low, high = mean_interval(distances, confidence)
    return Estimate(float(distances.mean()), max(low, 0.0), min(high, 2.0))


def expected_calibration_error(
    probabilities: npt.NDArray[np.float32], labels: Int64s, confidence: float, bins: int = BINS
) -> Estimate:
    """How far confidence and accuracy lie apart, averaged over bins of confidence by their images, with its interval.

    Naeini et al. 2015: "Obtaining well calibrated probabilities using Bayesian binning". The error of a perfectly calibrated
    model is above 0 on any sample; the interval allows for that (`darkroom.statistics.calibration_error`), the value does
    not, so that it equals what others publish, and may lie above its interval.

    Args:
        probabilities: float32 [N, K].
        labels: int64 [N].
        confidence: 0.95 for a 95% interval.
        bins: of equal width between 0 and 1.
    """
    gaps, index = _gaps(probabilities, labels, bins)
    value = float(np.abs(np.bincount(index, gaps, bins)).sum() / len(gaps))
    low, high = calibration_error_interval(gaps, index, bins, confidence)
    return Estimate(value, low, high)


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence lies in one bin.

    Attributes:
        low, high: the bin's ends; `low` belongs to it, `high` to the next one (1 to the last).
        images: how many, at least one.
        confidence: their mean confidence.
        accuracy: the share named correctly, with the ends of its interval.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def reliability(
    probabilities: npt.NDArray[np.float32], labels: Int64s, confidence: float, bins: int = BINS
) -> list[ReliabilityBin]:
    """Confidence beside accuracy, bin by bin; bins without an image are left out.

    Args:
        probabilities: float32 [N, K].
        labels: int64 [N].
        confidence: of the intervals (Wilson), 0.95 for 95%.
        bins: of equal width between 0 and 1.
    """
    gaps, index = _gaps(probabilities, labels, bins)
    right = probabilities.argmax(axis=1) == labels
    images = np.bincount(index, minlength=bins)
    hits = np.bincount(index, right, bins)
    sure = np.bincount(index, gaps + right, bins)
    low, high = wilson(hits, images, confidence)
    return [
        ReliabilityBin(
            low=b / bins,
            high=(b + 1) / bins,
            images=int(images[b]),
            confidence=float(sure[b] / images[b]),
            accuracy=float(hits[b] / images[b]),
            accuracy_low=float(low[b]),
            accuracy_high=float(high[b]),
        )
        for b in np.flatnonzero(images).tolist()
    ]


def _gaps(probabilities: npt.NDArray[np.float32], labels: Int64s, bins: int) -> tuple[Float64s, Int64s]:
    """Confidence minus 1 for a right answer and minus 0 for a wrong one, float64 [N], and each image's bin, int64 [N]."""
    sure = probabilities.max(axis=1).astype(np.float64)
    index = np.minimum((sure * bins).astype(np.int64), bins - 1)
    return sure - (probabilities.argmax(axis=1) == labels), index
