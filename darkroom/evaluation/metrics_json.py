"""The machine-readable twin of the evaluation page: `metrics.json`, and the tables that `dvc plots` draws."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.evaluation.error_analysis import Insights
from darkroom.evaluation.evaluation import Evaluation, Sureness
from darkroom.evaluation.ranking import Curve
from darkroom.evaluation.robustness import RobustnessCurve
from darkroom.evaluation.scorecard import DIGITS
from darkroom.model.classes import ClassList
from darkroom.statistics.intervals import Estimate
from darkroom.statistics.metrics import Int64s


def metrics(found: Evaluation, insights: Insights) -> dict[str, Any]:
    """The numbers of an evaluation by name; each estimate with `_low` and `_high`, the ends of its interval."""
    calibration, answered = found.calibration, found.answered
    content: dict[str, Any] = _rounded(
        {
            "top_k": {
                f"top_{each.k}": {"accuracy": each.accuracy, "low": each.low, "high": each.high} for each in found.top
            },
            "ranking": {"roc": _averages(found.roc), "precision_recall": _averages(found.precision_recall)},
            "calibration": {
                "temperature": calibration.temperature,
                "validation_images": calibration.images,
                "before": _sureness(found.before),
                "after": _sureness(found.after),
            },
            "abstention": {
                "threshold": calibration.threshold,
                "target_precision": calibration.target_precision,
                "risk_coverage_area": found.coverage.area,
                "validation": {
                    name: getattr(calibration, name)
                    for name in ("coverage", "precision", "precision_low", "precision_high")
                },
                "test": {name: value for name, value in asdict(answered).items() if name != "threshold"},
            },
            "label_suspects": len(insights.suspects),
            "weak_slices": [
                {name: value for name, value in vars(each).items() if name != "rows"} for each in insights.slices
            ],
            "robustness": [asdict(curve) for curve in insights.robustness],
            "explanation": insights.explanation.method,
        }
    )
    return content


def curve_rows(found: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """The ROC and precision-recall curves with their areas, the averages and every class."""
    return {
        "roc": [_rounded(asdict(curve)) for curve in found.roc],
        "precision_recall": [_rounded(asdict(curve)) for curve in found.precision_recall],
    }


def write_plots(folder: Path, found: Evaluation, curves: Sequence[RobustnessCurve]) -> None:
    """Write the tables behind the page's curves, one a curve, for `dvc plots`.

    `roc.csv` and `precision_recall.csv` (micro average), `reliability.csv`, `risk_coverage.csv`, and `robustness.csv`, which
    has a column for each kind of damage.

    Args:
        folder: to write in.
        found: the evaluation.
        curves: of robustness; without any there is no `robustness.csv`.
    """
    for name, of, columns in (
        ("roc", found.roc, ("false_positive_rate", "true_positive_rate")),
        ("precision_recall", found.precision_recall, ("recall", "precision")),
    ):
        micro = [(x, y) for curve in of[1:2] for x, y in zip(curve.x, curve.y, strict=True)]
        _write(folder / f"{name}.csv", columns, micro)
    bins = ((each.confidence, each.accuracy, each.images) for each in found.after.bins)
    _write(folder / "reliability.csv", ("confidence", "accuracy", "images"), bins)
    risks = zip(found.coverage.coverage, found.coverage.risk, strict=True)
    _write(folder / "risk_coverage.csv", ("coverage", "risk"), risks)
    if curves:
        points = zip(curves[0].severities, *(each.accuracy for each in curves), strict=True)
        _write(folder / "robustness.csv", ("severity", *(each.name for each in curves)), points)


def write_confusion(path: Path, classes: ClassList, actual: Int64s, probabilities: npt.NDArray[np.float32]) -> None:
    """Write one row a test image, as `dvc plots` wants it for its confusion template."""
    pairs = zip(actual.tolist(), probabilities.argmax(axis=1).tolist(), strict=True)
    _write(path, ("actual", "predicted"), ((classes.names[i], classes.names[j]) for i, j in pairs))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[float | str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_rounded(value) for value in row] for row in rows)


def _averages(curves: Sequence[Curve]) -> dict[str, Any]:
    """The areas of the averages over classes, which come first."""
    return {
        curve.name.removesuffix(" average"): {"area": curve.area, "low": curve.area_low, "high": curve.area_high}
        for curve in curves[:2]
    }


def _sureness(measured: Sureness) -> dict[str, float]:
    parts: dict[str, Estimate] = {"ece": measured.ece, "brier": measured.brier, "loss": measured.loss}
    return {
        f"{name}{end}": value
        for name, estimate in parts.items()
        for end, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high))
    }


def _rounded(value: Any) -> Any:
    """Numbers to six digits, wherever they stand."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
