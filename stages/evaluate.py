"""Predict every test image once, score the predictions many ways, and explain them.

Reads: models/train/, the test arrays of data/preprocess/, the curves of reports/train/, manifest and class list of
data/ingest/, data/split/splits.parquet.
Writes: reports/evaluate/: predictions.parquet, metrics.json, per_class.json, confusion.csv, report.html.
Costs: one forward pass in float32 over the test images, and about a second.
"""

import csv
from dataclasses import asdict
from pathlib import Path

from darkroom.classes import ClassList, load_classes
from darkroom.errors import DarkroomError
from darkroom.learning.precision import choose_device
from darkroom.network.load import load_model
from darkroom.params import read_params
from darkroom.provenance import code_version, data_version
from darkroom.reporting.curves import read_curves
from darkroom.reporting.report import report_page
from darkroom.scoring.predictions import predict, write_predictions
from darkroom.scoring.scorecard import Scorecard, class_rows, score
from darkroom.scoring.vault import open_vault
from darkroom.stage import stage
from darkroom.writing import whole_folder, write_json

MODEL = Path("models/train")
ARRAYS = Path("data/preprocess")
INGEST = Path("data/ingest")
SPLITS = Path("data/split/splits.parquet")
CURVES = Path("reports/train")
OUT = Path("reports/evaluate")


def run(
    model: Path,
    arrays: Path,
    ingest: Path,
    splits: Path,
    curves: Path,
    out: Path,
    confidence: float,
    gallery: int,
    code: str,
) -> None:
    """Score a model on the test split.

    Args:
        model: the folder with the weights and `model.json`.
        arrays: the folder with the arrays of each split.
        ingest: the folder with manifest and class list.
        splits: the split table.
        curves: the folder that DVCLive wrote in training.
        out: the folder to write.
        confidence: of every interval, 0.95 for 95%.
        gallery: how many of the surest mistakes the report shows.
        code: the version of this stage's code.

    Raises:
        DarkroomError: when model, arrays, manifest and splits do not belong together; nothing is written then.
    """
    classes = load_classes(ingest / "classes.json")
    network, spec = load_model(model)
    classes.require_same(spec.classes.names, str(model))
    data = data_version(ingest, splits)
    if spec.data_version != data:
        raise DarkroomError(
            f"{model} was trained on data version {spec.data_version}, and {splits} is of {data}, so that test images may "
            "have been trained on: run `dvc repro`"
        )
    held_out = open_vault(arrays, ingest, splits, classes)
    trained = read_curves(curves, spec.epoch)
    probabilities = predict(network, held_out.images, choose_device())
    card = score(held_out.labels, probabilities, confidence)
    provenance = {
        "data_version": data,
        "code_version": code,
        "training_code_version": spec.code_version,
        "class_hash": classes.hash,
    }
    with whole_folder(out) as folder:
        write_predictions(folder / "predictions.parquet", held_out, probabilities, classes)
        content = {"test": card.headline, "confidence": card.confidence, "provenance": provenance}
        write_json(folder / "metrics.json", content)
        write_json(folder / "per_class.json", [asdict(row) for row in class_rows(card, classes.names)])
        _write_confusion(folder / "confusion.csv", classes, held_out.labels.tolist(), probabilities.argmax(1).tolist())
        page = report_page(card, spec, trained, held_out, probabilities, gallery, provenance)
        (folder / "report.html").write_text(page, encoding="utf-8")
    print(_summary(card, classes, f"{spec.network}, epoch {spec.epoch}"))
    print(f"  report: {out / 'report.html'}")


def _write_confusion(path: Path, classes: ClassList, actual: list[int], predicted: list[int]) -> None:
    """One row a test image, as `dvc plots` wants it for its confusion template."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["actual", "predicted"])
        rows.writerows((classes.names[i], classes.names[j]) for i, j in zip(actual, predicted, strict=True))


def _summary(card: Scorecard, classes: ClassList, model: str) -> str:
    """The headline with its intervals and the three classes that are recognised least, aligned."""
    numbers = card.headline
    rows = [
        ("accuracy", numbers["accuracy"], numbers["accuracy_low"], numbers["accuracy_high"], ""),
        ("macro F1", numbers["macro_f1"], numbers["macro_f1_low"], numbers["macro_f1_high"], ""),
    ]
    tested = [row for row in class_rows(card, classes.names) if row.images]
    for row in sorted(tested, key=lambda row: row.recall)[:3]:
        counts = f" ({row.right:,} of {row.images:,})"
        rows.append((f"recall of {row.name}", row.recall, row.recall_low, row.recall_high, counts))
    width = max(len(label) for label, *_ in rows)
    return "\n".join(
        [f"evaluate: {numbers['images']:,} test images, {len(classes)} classes, {model}"]
        + [
            f"  {label:<{width}}  {value:6.1%}  {100 * card.confidence:g}% interval {low:.1%} to {high:.1%}{counts}"
            for label, value, low, high, counts in rows
        ]
    )


def main() -> None:
    with stage("evaluate"):
        params = read_params().evaluate
        run(MODEL, ARRAYS, INGEST, SPLITS, CURVES, OUT, params.confidence, params.gallery, code_version("evaluate"))


if __name__ == "__main__":
    main()
