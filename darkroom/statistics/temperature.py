"""Temperature scaling: from logits to probabilities, and the calibration that validation images give.

Apart from the metrics of calibration, since what runs a network needs this: another metric must not run it again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.checked_json import STRICT, read_checked
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json

LOWEST, HIGHEST = 0.05, 20.0
DIGITS = 6

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Calibration:
    """Temperature and threshold, fitted on validation, and on answers out of fold where there are few validation images; the
    numbers are of the same images, at the threshold.

    Attributes:
        temperature: logits are divided by it before the softmax.
        threshold: calibrated confidence below which the model abstains; None when no threshold reaches the target precision
            with confidence: the model then always answers, and the numbers below are of all images.
        target_precision: the share of the answers that should be correct.
        coverage: the share of images answered.
        precision: the share of the answers that are correct.
        precision_low, precision_high: its interval.
        images: validation images, and the training images beside them.
        out_of_fold_images: how many of them are training images, answered out of fold.
    """

    __pydantic_config__ = STRICT

    temperature: Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
    threshold: Share | None
    target_precision: Share
    coverage: Share
    precision: Share
    precision_low: Share
    precision_high: Share
    images: Annotated[int, Field(ge=0)]
    out_of_fold_images: Annotated[int, Field(ge=0)] = 0

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))


def load_calibration(path: Path, remedy: str = "run `dvc repro evaluate`") -> Calibration:
    """Read what `Calibration.save` wrote.

    Args:
        path: the file.
        remedy: what the user can do about a damaged one, for the message.

    Raises:
        DarkroomError: when there is no such file, it is damaged, or a value is out of its range.
    """
    try:
        return read_checked(path, Calibration, remedy)
    except FileNotFoundError:
        raise DarkroomError(f"{path} is not there yet: run `dvc repro evaluate`") from None


def softmax(logits: Float32s, temperature: float = 1.0) -> Float32s:
    """Probabilities: the softmax of logits / temperature, taken in float64.

    Args:
        logits: float32 [N, K].
        temperature: above 0; `fit_temperature` fits it. 1 leaves the logits as they are.

    Returns:
        float32 [N, K]; each row adds up to 1, and its largest is where the largest logit is.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Float32s = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def fit_temperature(logits: Float32s, labels: Int64s) -> float:
    """The temperature that makes the labels likeliest (Guo et al. 2017: "On calibration of modern neural networks").

    The mean negative log-likelihood has one minimum over log T, since it is convex in 1/T. Where every image is answered
    correctly it only falls as T does, and says nothing about mistakes: T stays 1 then.

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
        lambda log_t: log_loss(logits, labels, float(np.exp(log_t))),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    temperature = round(float(np.exp(found.x)), DIGITS)
    return temperature if log_loss(logits, labels, temperature) < log_loss(logits, labels, 1.0) else 1.0


def log_loss(logits: Float32s, labels: Int64s, temperature: float) -> float:
    """The mean negative log-likelihood at a temperature, in nats.

    Args:
        logits: float32 [N, K].
        labels: int64 [N].
        temperature: above 0.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())
