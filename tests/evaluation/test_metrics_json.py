"""The tables beside the page say what the evaluation found."""

import csv
from pathlib import Path

import numpy as np

from darkroom.evaluation.calibrate import calibrate
from darkroom.evaluation.evaluation import Evaluation, evaluate
from darkroom.evaluation.metrics_json import curve_rows, write_confusion, write_plots
from darkroom.evaluation.robustness import RobustnessCurve
from darkroom.model.classes import ClassList

NAMES = ("a", "b", "c")


def evaluation(images: int = 400) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Evaluation]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, images)
    logits = rng.normal(size=(images, 3)).astype(np.float32)
    logits[np.arange(images), labels] += 2
    return labels, evaluate(logits, labels, NAMES, calibrate(logits, labels, 0.9, 0.95), 0.95)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_plots_are_the_curves_of_the_page(tmp_path: Path) -> None:
    labels, found = evaluation()
    damage = [RobustnessCurve(name, (0, 1), ("as it is", "much"), (0.9, 0.5), (0.8, 0.4), (1.0, 0.6)) for name in "xy"]
    write_plots(tmp_path, found, damage)
    roc = read(tmp_path / "roc.csv")
    micro = found.roc[1]
    assert micro.name == "micro average" and len(roc) == len(micro.x)
    assert [float(row["true_positive_rate"]) for row in roc] == [round(value, 6) for value in micro.y]
    bins = read(tmp_path / "reliability.csv")
    assert sum(int(row["images"]) for row in bins) == len(labels)
    assert float(read(tmp_path / "risk_coverage.csv")[-1]["risk"]) == round(float((~found.right).mean()), 6)
    assert read(tmp_path / "robustness.csv")[1] == {"severity": "1", "x": "0.5", "y": "0.5"}
    assert [curve["name"] for curve in curve_rows(found)["roc"]] == ["macro average", "micro average", *NAMES]


def test_the_confusion_table_has_a_row_an_image(tmp_path: Path) -> None:
    labels, found = evaluation(50)
    write_confusion(tmp_path / "confusion.csv", ClassList(NAMES), labels, found.probabilities)
    rows = read(tmp_path / "confusion.csv")
    assert [row["actual"] for row in rows] == [NAMES[k] for k in labels]
    assert sum(row["actual"] == row["predicted"] for row in rows) == found.right.sum()


def test_scores_after_calibration_are_those_of_the_headline() -> None:
    _, found = evaluation()
    assert round(found.after.loss.value, 6) == found.card.headline["loss"] <= found.before.loss.value
    assert found.top[0].accuracy == found.right.mean() and [each.k for each in found.top] == [1, 2]
    assert found.answered.precision >= found.card.headline["accuracy"] - 1e-6
