import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from darkroom.evaluation.tables import write_confusion, write_plots, write_predictions
from tests.evaluation.test_metrics_json import CURVE, NAMES, evaluation


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_have_a_row_for_each_image_in_order(tmp_path: Path) -> None:
    probabilities = np.array([[0.25, 0.75], [0.125, 0.875]], np.float32)
    labels = np.array([1, 0])
    write_predictions(
        tmp_path / "p.parquet", ["aa", "bb"], ["x/1.png", "y/2.png"], labels, probabilities, ("dark", "bright")
    )
    assert pq.read_table(tmp_path / "p.parquet").to_pylist() == [
        {
            "id": "aa",
            "path": "x/1.png",
            "label": "bright",
            "predicted": "bright",
            "confidence": 0.75,
            "probabilities": [0.25, 0.75],
        },
        {
            "id": "bb",
            "path": "y/2.png",
            "label": "dark",
            "predicted": "bright",
            "confidence": 0.875,
            "probabilities": [0.125, 0.875],
        },
    ]


def test_the_plots_are_the_curves_of_the_page(tmp_path: Path) -> None:
    labels, found = evaluation()
    write_plots(tmp_path, found, [CURVE])
    roc = read(tmp_path / "roc.csv")
    micro = found.roc[1]
    assert micro.name == "micro average" and len(roc) == len(micro.x)
    assert [float(row["true_positive_rate"]) for row in roc] == [round(value, 6) for value in micro.y]
    assert sum(int(row["images"]) for row in read(tmp_path / "reliability.csv")) == len(labels)
    error = float(read(tmp_path / "risk_coverage.csv")[-1]["risk"])
    assert error == round(1 - found.top[0].accuracy, 6)
    assert read(tmp_path / "robustness.csv")[1] == {"severity": "1", "blur": "0.5"}


def test_the_confusion_table_has_a_row_an_image(tmp_path: Path) -> None:
    write_confusion(tmp_path / "confusion.csv", NAMES, np.array([0, 2, 1]), np.array([0, 1, 1]))
    assert read(tmp_path / "confusion.csv") == [
        {"actual": "a", "predicted": "a"},
        {"actual": "c", "predicted": "b"},
        {"actual": "b", "predicted": "b"},
    ]


def test_no_class_of_the_confusion_table_is_a_formula(tmp_path: Path) -> None:
    write_confusion(tmp_path / "confusion.csv", ("=1+1", "-1"), np.array([0, 1]), np.array([1, 1]))
    assert (tmp_path / "confusion.csv").read_text() == "actual,predicted\n'=1+1,'-1\n'-1,'-1\n"
