"""The tables of an evaluation: every prediction, and what `dvc plots` draws."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.evaluation.error_analysis import RobustnessCurve
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.scorecard import DIGITS
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.text import csv_cell


def write_predictions(
    path: Path, ids: list[str], paths: list[str], labels: Int64s, probabilities: Float32s, names: tuple[str, ...]
) -> None:
    """Write `predictions.parquet`: one row a test image, in the order of the arrays.

    Columns: id, path, label, predicted (str), confidence (float32, the probability of the predicted class), probabilities
    (list of K float32, in class-list order).

    Args:
        path: the file.
        ids, paths: of the images.
        labels: int64 [N].
        probabilities: float32 [N, K], calibrated.
        names: of the classes.
    """
    words = pa.array(names, pa.string())
    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "path": pa.array(paths, pa.string()),
            "label": words.take(pa.array(labels)),
            "predicted": words.take(pa.array(probabilities.argmax(axis=1))),
            "confidence": pa.array(probabilities.max(axis=1)),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), len(names)),
        }
    )
    pq.write_table(table, path)


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


def write_confusion(path: Path, names: tuple[str, ...], actual: Int64s, predicted: Int64s) -> None:
    """Write one row a test image, as `dvc plots` needs it for its confusion template."""
    cells = [csv_cell(name) for name in names]
    pairs = zip(actual.tolist(), predicted.tolist(), strict=True)
    _write(path, ("actual", "predicted"), ((cells[i], cells[j]) for i, j in pairs))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[float | str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([round(value, DIGITS) if isinstance(value, float) else value for value in row] for row in rows)
