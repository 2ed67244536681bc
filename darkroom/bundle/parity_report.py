"""The parity report: the predictions of the bundle's models beside those of the evaluated model, with limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.bundle.bundle import FLOAT_GRAPH, load_bundle
from darkroom.bundle.reference_predictions import ReferencePredictions, bundle_predictions
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8, TFLiteSession
from darkroom.compression.parity import Parity, compare, loss_interval
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.statistics.intervals import wilson

CONFIDENCE = 0.95
DIGITS = 6

# These have the evaluated weights in float32; every other model is a smaller, less exact form of them.
EXACT = (FLOAT_GRAPH, TFLITE)
# An optional model: outside its limit it is left out, and the export goes on.
OPTIONAL = (TFLITE_INT8,)


@dataclass(frozen=True)
class ParityLimits:
    """How far a prediction may be from that of the evaluated model.

    Attributes:
        probability_difference: the most that any probability of an exact model may differ by.
        label_disagreement: the fraction of images on which a smaller model may predict another class; the lower end
            of its 95% interval is compared with it, since few images are weak evidence.
    """

    probability_difference: float
    label_disagreement: float

    def of(self, name: str) -> dict[str, float]:
        """The limit of one model file, by what it limits."""
        if name in EXACT:
            return {"probability_difference": self.probability_difference}
        return {"label_disagreement": self.label_disagreement}


def violation(name: str, parity: Parity, tested: ReferencePredictions, limits: ParityLimits) -> str | None:
    """How a model violates its limit, with the numbers; None when it does not.

    Args:
        name: file name of the model.
        parity: its predictions beside those of the evaluated model.
        tested: the images.
        limits: as set.
    """
    # `not <=` rather than `>`, so that a NaN is outside too.
    accuracy = f"accuracy is {parity.accuracy_after:.2%} instead of {parity.accuracy_before:.2%}"
    if name in EXACT:
        if not parity.largest_difference <= limits.probability_difference:
            return (
                f"a probability differs by {parity.largest_difference:.6f}, {limits.probability_difference:g} allowed "
                f"(at {tested.paths[parity.worst]}; labels differ on {parity.label_disagreement:.2%}, {accuracy})"
            )
    elif not _lower_bound(parity.label_disagreement, parity.images) <= limits.label_disagreement:
        return (
            f"labels differ on {parity.label_disagreement:.2%}, {limits.label_disagreement:.2%} allowed ({accuracy}); where "
            "that is no fault but the price of a smaller model, raise quantize.min_speedup to ship the float graph, or "
            "export.max_label_disagreement"
        )
    return None


def require_parity(found: dict[str, Parity], tested: ReferencePredictions, limits: ParityLimits) -> dict[str, str]:
    """Stop when a model that must ship is outside its limit.

    Args:
        found: by the file names of the models.
        tested: the images.
        limits: as set.

    Returns:
        The models that are left out of the bundle, with the reason of each.

    Raises:
        DarkroomError: with every model that is outside, and by how much.
    """
    violations = {name: text for name, parity in found.items() if (text := violation(name, parity, tested, limits))}
    left_out = {name: text for name, text in violations.items() if name in OPTIONAL}
    if serious := [f"  - {name}: {text}" for name, text in violations.items() if name not in left_out]:
        raise DarkroomError(
            f"parity: on {len(tested.paths):,} test images the bundle does not predict as the evaluated model did, so it was "
            "not written:\n" + "\n".join(serious)
        )
    return left_out


def _lower_bound(fraction: float, images: int) -> float:
    """The lower end of a fraction's interval: of 15 test images one may differ by chance, and is 6.7% of them."""
    return float(wilson(round(fraction * images), images, CONFIDENCE)[0])


def check_parity(
    folder: Path,
    models: Sequence[str],
    reference: ReferencePredictions,
    shards: Path,
    limits: ParityLimits,
) -> tuple[dict[str, Parity], dict[str, str], dict[str, Float32s]]:
    """Predict with models of a bundle, and compare with the reference and the limits.

    Args:
        folder: the bundle.
        models: file names of some of its ONNX and TFLite models.
        reference: the images.
        shards: the folder with the original bytes.
        limits: as set.

    Returns:
        By file name, the comparison of each model; the reasons of those that are left out; and the probabilities float32 [N, K]
        of each.

    Raises:
        DarkroomError: as `load_bundle`, `bundle_predictions` and `require_parity` do.
    """
    bundles = {name: load_bundle(folder, graph=name) for name in models if name.endswith(".onnx")}
    predict = {
        name: bundles[name].predict if name in bundles else TFLiteSession(folder / name).predict for name in models
    }
    preprocessing = bundles.get(FLOAT_GRAPH) or load_bundle(folder, graph=FLOAT_GRAPH)
    predicted = bundle_predictions(preprocessing, list(predict.values()), reference, shards)
    found = {
        name: compare(reference.probabilities, probabilities, reference.labels)
        for name, probabilities in zip(predict, predicted, strict=True)
    }
    return found, require_parity(found, reference, limits), dict(zip(predict, predicted, strict=True))


def parity_report(
    found: dict[str, Parity],
    tested: ReferencePredictions,
    limits: ParityLimits,
    left_out: dict[str, str],
    folder: Path,
    converter: dict[str, str],
) -> dict[str, Any]:
    """The content of `parity.json`. Differences below half a millionth become 0, since the last bits differ between processors.

    Args:
        found: by the file names of the models, the left out among them.
        tested: the images.
        limits: that they were compared with.
        left_out: the reasons of models that did not get into the bundle.
        folder: the bundle, with the files that the report is about.
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
            name: {"sha256": file_hash(folder / name), **_numbers(parity), "limit": limits.of(name)}
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


def parity_table(found: dict[str, Parity], tested: ReferencePredictions, served: str, left_out: dict[str, str]) -> str:
    """For the terminal, one line for each model: how far its predictions are from the evaluated ones, and if it ships.

    Args:
        found: by the file names of the models.
        tested: the images.
        served: the model that predicts by default.
        left_out: the reasons of models that did not get into the bundle.
    """
    width = max(map(len, found))
    lines = [
        f"export: {len(tested.paths):,} of {tested.available:,} test images from file bytes, pixels equal",
        f"  {'':{width}}  {'largest difference':>18}  {'mean':>8}  {'same class':>12}  {'accuracy':>8}"
        f"  {f'gain in points ({CONFIDENCE:.0%})':>26}",
        f"  {'evaluated':{width}}  {'':18}  {'':8}  {'':12}  {found[FLOAT_GRAPH].accuracy_before:8.2%}",
    ]
    for name, parity in found.items():
        low, high = loss_interval(parity, CONFIDENCE)
        gain = f"{_points(-parity.accuracy_loss)} ({_points(-high)} to {_points(-low)})"
        status = "  default" if name == served else "  left out" if name in left_out else ""
        lines.append(
            f"  {name:{width}}  {parity.largest_difference:18.6f}  {parity.mean_difference:8.6f}"
            f"  {1 - parity.label_disagreement:12.2%}  {parity.accuracy_after:8.2%}  {gain:>26}{status}"
        )
    lines += [f"  {name} is left out: {reason}" for name, reason in left_out.items()]
    return "\n".join(lines)


def _points(fraction: float) -> str:
    return f"{round(100 * fraction, 2) + 0.0:+.2f}"
