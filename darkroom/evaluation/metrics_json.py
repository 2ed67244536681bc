"""An evaluation as JSON, written and read, and as summary lines for the terminal.

`metrics.json`, `per_class.json` and `curves.json` hold the numbers, `details.json` what else the page shows. The page and the
model card take their numbers from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.evaluation.coverage import AtThreshold, RiskCoverage
from darkroom.evaluation.error_analysis import ErrorAnalysis, RobustnessCurve
from darkroom.evaluation.evaluation import CalibrationMetrics, Evaluation
from darkroom.evaluation.label_errors import Suspect
from darkroom.evaluation.ranking import Curve, TopK
from darkroom.evaluation.scorecard import DIGITS, ClassRow
from darkroom.evaluation.slices import Slice
from darkroom.runtime.files import write_json
from darkroom.runtime.inputs import read_input_json, stage_input
from darkroom.runtime.text import printable
from darkroom.statistics.calibration import ReliabilityBin
from darkroom.statistics.intervals import Estimate
from darkroom.statistics.temperature import Calibration

METRICS, CLASSES, CURVES, DETAILS = "metrics.json", "per_class.json", "curves.json", "details.json"

# Of a slice in `details.json` and not in `metrics.json`: positions in the tables.
POSITIONS = "rows"
# How many times its lower end the upper end of a temperature's interval is, at most, without a word about it.
UNSTEADY = 2


def write_evaluation(
    folder: Path,
    found: Evaluation,
    errors: ErrorAnalysis,
    explanation: str,
    provenance: Mapping[str, str],
    settings: Sequence[Mapping[str, Any]],
) -> None:
    """Write the four JSON files.

    Args:
        folder: to write in.
        found: the scores.
        errors: what was found beside them.
        explanation: the method of the heat maps.
        provenance: versions by name.
        settings: those that differ from the shipped ones: name, value, shipped.
    """
    head = {"test": found.headline, "confidence": found.confidence, "provenance": dict(provenance)}
    numbers = metrics(found, errors) | {"explanation": explanation}
    write_json(folder / METRICS, head | numbers | {"settings": list(settings)})
    write_json(folder / CLASSES, [asdict(row) for row in found.rows])
    write_json(folder / CURVES, _rounded({name: _curves(found, name) for name in ("roc", "precision_recall")}))
    details = {
        "reliability": {"before": _bins(found.before), "after": _bins(found.after)},
        "risk_coverage": asdict(found.coverage),
        "facts": errors.facts,
        "slice_mistakes": errors.slice_mistakes,
        "suspects": [asdict(each) for each in errors.suspects],
        "damaged_images": errors.damaged_images,
        "damaged_precision": errors.damaged_precision,
    }
    write_json(folder / DETAILS, _rounded(details))


def metrics(found: Evaluation, errors: ErrorAnalysis) -> dict[str, Any]:
    """The numbers of an evaluation by name; each estimate with `_low` and `_high`, the ends of its interval."""
    calibration = found.calibration
    content: dict[str, Any] = _rounded(
        {
            "top_k": {
                f"top_{each.k}": {"accuracy": each.accuracy, "low": each.low, "high": each.high} for each in found.top
            },
            "ranking": {"roc": _averages(found.roc), "precision_recall": _averages(found.precision_recall)},
            "calibration": {
                "temperature": calibration.temperature,
                "temperature_low": found.temperature_interval[0],
                "temperature_high": found.temperature_interval[1],
                "validation_images": calibration.images - calibration.out_of_fold_images,
                "out_of_fold_images": calibration.out_of_fold_images,
                "before": _calibration_metrics(found.before),
                "after": _calibration_metrics(found.after),
            },
            "abstention": {
                "threshold": calibration.threshold,
                "target_precision": calibration.target_precision,
                "risk_coverage_area": found.coverage.area,
                "validation": {name: getattr(calibration, name) for name in AT_VALIDATION},
                "test": {name: value for name, value in asdict(found.answered).items() if name != "threshold"},
            },
            "label_suspects": len(errors.suspects),
            "weak_slices": [
                {name: value for name, value in vars(each).items() if name != POSITIONS} for each in errors.slices
            ],
            "robustness": [asdict(curve) for curve in errors.robustness],
        }
    )
    return content


AT_VALIDATION = ("coverage", "precision", "precision_low", "precision_high")


def _curves(found: Evaluation, name: str) -> list[dict[str, Any]]:
    return [asdict(curve) for curve in getattr(found, name)]


def _bins(measured: CalibrationMetrics) -> list[dict[str, Any]]:
    return [asdict(each) for each in measured.bins]


def _averages(curves: Sequence[Curve]) -> dict[str, Any]:
    """The areas of the averages over classes, which come first."""
    return {
        curve.name.removesuffix(" average"): {"area": curve.area, "low": curve.area_low, "high": curve.area_high}
        for curve in curves[:2]
    }


def _calibration_metrics(measured: CalibrationMetrics) -> dict[str, float]:
    estimates: dict[str, Estimate] = {"ece": measured.ece, "brier": measured.brier, "loss": measured.loss}
    return {
        f"{name}{end}": value
        for name, estimate in estimates.items()
        for end, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high))
    }


def _rounded(value: Any) -> Any:
    """Numbers to six digits, at any depth."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value


@stage_input
def read_evaluation(folder: Path) -> tuple[Evaluation, ErrorAnalysis, dict[str, Any]]:
    """Read what `write_evaluation` wrote, with numbers of six digits: scores, error analysis, the content of `metrics.json`."""
    content, rows, curves, details = (read_input_json(folder / name) for name in (METRICS, CLASSES, CURVES, DETAILS))
    calibration, abstention = content["calibration"], content["abstention"]
    top = content["top_k"]
    found = Evaluation(
        confidence=content["confidence"],
        headline=content["test"],
        rows=[ClassRow(**row) for row in rows],
        top=[TopK(k=int(name.removeprefix("top_")), **each) for name, each in top.items()],
        roc=[Curve(**curve) for curve in curves["roc"]],
        precision_recall=[Curve(**curve) for curve in curves["precision_recall"]],
        calibration=Calibration(
            temperature=calibration["temperature"],
            threshold=abstention["threshold"],
            target_precision=abstention["target_precision"],
            images=calibration["validation_images"] + calibration["out_of_fold_images"],
            out_of_fold_images=calibration["out_of_fold_images"],
            **abstention["validation"],
        ),
        temperature_interval=(calibration["temperature_low"], calibration["temperature_high"]),
        before=_read_calibration(calibration["before"], details["reliability"]["before"]),
        after=_read_calibration(calibration["after"], details["reliability"]["after"]),
        coverage=RiskCoverage(**details["risk_coverage"]),
        answered=AtThreshold(threshold=abstention["threshold"], **abstention["test"]),
    )
    errors = ErrorAnalysis(
        facts=details["facts"],
        slices=[Slice(**each, rows=np.zeros(0, np.int64)) for each in content["weak_slices"]],
        slice_mistakes=details["slice_mistakes"],
        suspects=[Suspect(**each) for each in details["suspects"]],
        robustness=[RobustnessCurve(**curve) for curve in content["robustness"]],
        damaged_images=details["damaged_images"],
        damaged_precision=details["damaged_precision"],
    )
    return found, errors, content


def _read_calibration(numbers: dict[str, float], bins: list[dict[str, Any]]) -> CalibrationMetrics:
    estimates = {
        name: Estimate(numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"])
        for name in ("ece", "brier", "loss")
    }
    return CalibrationMetrics(**estimates, bins=[ReliabilityBin(**each) for each in bins])


def summary_lines(found: Evaluation, errors: ErrorAnalysis, model: str) -> str:
    """The headline with its intervals, the three classes of least recall, and what to look at; aligned.

    Args:
        found: the scores.
        errors: what was found beside them.
        model: what was evaluated, in words.
    """
    numbers, answered, error = found.headline, found.answered, found.after.ece
    rows = [
        ("accuracy", numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"], ""),
        ("macro F1", numbers["macro_f1"], numbers["macro_f1_low"], numbers["macro_f1_high"], ""),
    ]
    tested = [row for row in found.rows if row.images]
    for row in sorted(tested, key=lambda row: row.recall)[:3]:
        counts = f" ({row.correct:,} of {row.images:,})"
        rows.append((f"recall of {printable(row.name)}", row.recall, row.recall_low, row.recall_high, counts))
    rows.append(("calibration error", error.value, error.low, error.high, ""))
    if found.calibration.threshold is not None:
        counts = f" (confidence {found.calibration.threshold:.3f}; {answered.coverage:.1%} of the images)"
        precision = answered.precision, answered.precision_low, answered.precision_high
        rows.append(("correct where it answers", *precision, counts))
    width = max(len(label) for label, *_ in rows)
    lines = [f"evaluate: {numbers['images']:,} test images, {len(found.rows)} classes, {model}"]
    lines += [
        f"  {label:<{width}}  {value:6.1%}  {100 * found.confidence:g}% interval {low:.1%} to {high:.1%}{counts}"
        for label, value, low, high, counts in rows
    ]
    if found.calibration.threshold is None:
        target = f"{100 * found.calibration.target_precision:g}%"
        lines.append(
            f"  it always answers: no threshold of confidence guarantees that {target} of its answers are correct"
        )
    low, high = found.temperature_interval
    if high > UNSTEADY * low:
        lines.append(
            f"  temperature {found.calibration.temperature:.3g} is unsteady: {found.calibration.images:,} images "
            f"allow {low:.3g} to {high:.3g} ({100 * found.confidence:g}% interval): other images may change confidences; "
            "raise split.validation, or add images"
        )
    lines += [
        f"  weak slice: {printable(each.words)}, {each.accuracy:.1%} of {each.images:,} correct"
        for each in errors.slices[:3]
    ]
    if errors.suspects:
        lines.append(f"  labels to look at: {len(errors.suspects):,} of training and validation images")
    return "\n".join(lines)
