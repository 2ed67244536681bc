"""The parity certificate: what the bundle's models answer beside what the evaluated model answered, and the limits."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.bundle.bundle import FLOAT_GRAPH
from darkroom.bundle.reference_predictions import Evaluated
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8
from darkroom.compression.parity import Parity, loss_interval
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.intervals import wilson

CONFIDENCE = 0.95
DIGITS = 6

# These hold the evaluated weights in float32; every other model is a smaller form of them, with a price.
EXACT = (FLOAT_GRAPH, TFLITE)
# What nobody asked for by name, and nothing else stands on: outside its limit it stays out, and the line goes on.
MAY_STAY_OUT = (TFLITE_INT8,)


@dataclass(frozen=True)
class Limits:
    """How far an answer may lie from that of the evaluated model.

    Attributes:
        probability_difference: the most that any probability of an exact model may differ by.
        label_disagreement: the share of images on which a smaller model may name another class; the lower end of the
            share's 95% interval is held against it, since few images say little.
    """

    probability_difference: float
    label_disagreement: float

    def of(self, name: str) -> dict[str, float]:
        """The limit of one model file, by what it limits."""
        if name in EXACT:
            return {"probability_difference": self.probability_difference}
        return {"label_disagreement": self.label_disagreement}


def fault(name: str, parity: Parity, tested: Evaluated, limits: Limits) -> str | None:
    """What puts a model outside its limit, with the numbers; None when it is inside.

    Args:
        name: file name of the model.
        parity: its answers beside those of the evaluated model.
        tested: the images.
        limits: as asked for.
    """
    # `not <=` rather than `>`, so that a NaN is outside too.
    accuracy = f"accuracy is {parity.accuracy_after:.2%} instead of {parity.accuracy_before:.2%}"
    if name in EXACT:
        if not parity.largest_difference <= limits.probability_difference:
            return (
                f"a probability differs by {parity.largest_difference:.6f}, {limits.probability_difference:g} allowed "
                f"(at {tested.paths[parity.worst]}; labels differ on {parity.label_disagreement:.2%}, {accuracy})"
            )
    elif not _surely_at_least(parity.label_disagreement, parity.images) <= limits.label_disagreement:
        return (
            f"labels differ on {parity.label_disagreement:.2%}, {limits.label_disagreement:.2%} allowed ({accuracy}); where "
            "that is no fault but the price of a smaller model, raise quantize.min_speedup to ship the float graph, or "
            "export.max_label_disagreement"
        )
    return None


def require_parity(found: dict[str, Parity], tested: Evaluated, limits: Limits) -> dict[str, str]:
    """Stop when a model that must ship is outside its limit.

    Args:
        found: by the file names of the models.
        tested: the images.
        limits: as asked for.

    Returns:
        The models that stay out of the bundle, with the reason of each.

    Raises:
        DarkroomError: with every model that is outside, and by how much.
    """
    faults = {name: said for name, parity in found.items() if (said := fault(name, parity, tested, limits))}
    left_out = {name: said for name, said in faults.items() if name in MAY_STAY_OUT}
    if serious := [f"  - {name}: {said}" for name, said in faults.items() if name not in left_out]:
        raise DarkroomError(
            f"parity: on {len(tested.paths):,} test images the bundle does not answer as the evaluated model did, so it was "
            "not written:\n" + "\n".join(serious)
        )
    return left_out


def _surely_at_least(share: float, images: int) -> float:
    """The lower end of a share's interval: of 15 test images one may differ by chance, and is 6.7% of them."""
    return float(wilson(round(share * images), images, CONFIDENCE)[0])


def certificate(
    found: dict[str, Parity],
    tested: Evaluated,
    limits: Limits,
    left_out: dict[str, str],
    folder: Path,
    converter: dict[str, str],
) -> dict[str, Any]:
    """The content of `parity.json`. Differences below half a millionth become 0: their last bits are the processor's.

    Args:
        found: by the file names of the models, the left out among them.
        tested: the images.
        limits: that they were held against.
        left_out: the reasons of models that did not get into the bundle.
        folder: the bundle, with the files that the certificate is about.
        converter: versions of the packages that made the TFLite files; what made the rest is in the bundle's `software.json`.
    """
    return {
        "images": len(tested.paths),
        "of": tested.available,
        "pixels_equal": True,
        "evaluated_accuracy": round(found[FLOAT_GRAPH].accuracy_before, DIGITS),
        "confidence": CONFIDENCE,
        "converter": converter,
        "graphs": {
            name: {"sha256": _sha256(folder / name), **_numbers(parity), "limit": limits.of(name)}
            for name, parity in found.items()
            if name not in left_out
        },
        "left_out": {
            name: {"reason": reason, **_numbers(found[name]), "limit": limits.of(name)}
            for name, reason in left_out.items()
        },
    }


def _numbers(parity: Parity) -> dict[str, float]:
    """Differences as what the model gains over the evaluated one: negative is worse."""
    low, high = loss_interval(parity, CONFIDENCE)
    numbers = {
        "largest_difference": parity.largest_difference,
        "mean_difference": parity.mean_difference,
        "label_agreement": 1 - parity.label_disagreement,
        "accuracy": parity.accuracy_after,
        "accuracy_difference": -parity.accuracy_loss,
        "accuracy_difference_low": -high,
        "accuracy_difference_high": -low,
    }
    # Adding 0 turns the -0.0 of no difference into 0.0.
    return {name: round(value, DIGITS) + 0.0 for name, value in numbers.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
