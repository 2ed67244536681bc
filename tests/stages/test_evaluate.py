"""The evaluate stage: every number is a function of the table of predictions, and no network is near."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score

from darkroom.inference.inputs import FACTS
from darkroom.inference.predictions import read_predictions
from darkroom.model.spec import load_spec
from darkroom.runtime.closure import Code
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import load_calibration, softmax
from tests.conftest import ROOT
from tests.support.line import run_evaluate, run_predict
from tests.support.packed import read_images, write_images
from tests.support.scored import SETTINGS

OUTPUTS = [
    *("curves.json", "details.json", "label_suspects.csv", "metrics.json", "per_class.json", "plots"),
    "predictions.parquet",
]
PLOTS = ["confusion.csv", "precision_recall.csv", "reliability.csv", "risk_coverage.csv", "robustness.csv", "roc.csv"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_table_alone_gives_every_file(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/predict").mkdir(parents=True)
    shutil.copy(scored / "data/predict/predictions.parquet", tmp_path / "data/predict")
    (tmp_path / "models").mkdir()
    (tmp_path / "reports").mkdir()
    run_evaluate(tmp_path, settings=SETTINGS)
    for folder in ("reports/evaluate", "models/evaluate"):
        assert files(tmp_path / folder) == files(scored / folder)
    assert sorted(path.name for path in (tmp_path / "reports/evaluate").iterdir()) == OUTPUTS
    assert sorted(path.name for path in (tmp_path / "reports/evaluate/plots").iterdir()) == PLOTS
    printed = capsys.readouterr().out
    assert "evaluate: 26 test images, 3 classes, simple_cnn, epoch 2" in printed
    assert "accuracy" in printed and "macro F1" in printed and "95% interval" in printed and "recall of" in printed


def test_the_numbers_are_those_of_other_libraries_on_the_table(scored: Path) -> None:
    """Read with pandas, scored with scikit-learn: of this project only the temperature."""
    metrics = json.loads((scored / "reports/evaluate/metrics.json").read_text())
    table = pd.read_parquet(scored / "data/predict/predictions.parquet")
    temperature = metrics["calibration"]["temperature"]
    names = json.loads(pq.read_schema(scored / "data/predict/predictions.parquet").metadata[b"darkroom"])["classes"]
    test = table[(table["split"] == "test") & table["damage"].isna()]
    logits = np.stack(test["logits"].to_list()).astype(np.float64) / temperature
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = test["label"].map(names.index).to_numpy()
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    found, close = metrics["test"], pytest.approx
    assert (found["images"], found["accuracy"]) == (len(test), close((predicted == labels).mean(), abs=1e-6))
    averaged = {"average": "macro", "labels": [0, 1, 2], "zero_division": 0}
    present = np.union1d(labels, predicted)
    assert len(present) == 3, "a class that has no image and is never predicted would be left out of the averages"
    assert found["macro_f1"] == close(f1_score(labels, predicted, **averaged), abs=1e-6)
    assert found["macro_precision"] == close(precision_score(labels, predicted, **averaged), abs=1e-6)
    assert found["macro_recall"] == close(recall_score(labels, predicted, **averaged), abs=1e-6)
    assert found["loss"] == close(log_loss(labels, probabilities), abs=1e-6)
    one_hot = np.eye(3)[labels]
    areas = metrics["ranking"]
    assert areas["roc"]["macro"]["area"] == close(roc_auc_score(one_hot, probabilities, average="macro"), abs=1e-5)
    assert areas["roc"]["micro"]["area"] == close(roc_auc_score(one_hot, probabilities, average="micro"), abs=1e-5)
    precision = average_precision_score(one_hot, probabilities, average="macro")
    assert areas["precision_recall"]["macro"]["area"] == close(precision, abs=1e-5)
    second = np.argsort(-probabilities, axis=1)[:, :2]
    assert metrics["top_k"]["top_2"]["accuracy"] == close((second == labels[:, None]).any(axis=1).mean(), abs=1e-6)
    brier = ((probabilities - one_hot) ** 2).sum(axis=1).mean()
    assert metrics["calibration"]["after"]["brier"] == close(brier, abs=1e-6)
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = np.bincount(bins, confidence - (predicted == labels), 15)
    assert metrics["calibration"]["after"]["ece"] == close(np.abs(gaps).sum() / len(test), abs=1e-6)
    threshold = metrics["abstention"]["threshold"]
    given = confidence >= (threshold or 0)
    assert metrics["abstention"]["test"]["answered"] == given.sum()
    assert metrics["abstention"]["test"]["correct"] == (predicted == labels)[given].sum()
    order = np.argsort(-confidence, kind="stable")
    risk = np.cumsum((predicted != labels)[order]) / np.arange(1, len(test) + 1)
    assert metrics["abstention"]["risk_coverage_area"] == close(risk.mean(), abs=1e-3)
    assert metrics["calibration"]["validation_images"] == (table["split"] == "validation").sum()
    damaged = table[table["damage"].notna()]
    hits = damaged["logits"].map(np.argmax) == damaged["label"].map(names.index)
    for curve in metrics["robustness"]:
        for severity, accuracy in zip(curve["severities"], curve["accuracy"], strict=True):
            rows = (damaged["severity"] == severity) & damaged["damage"].isin([curve["name"]] if severity else ["none"])
            assert accuracy == close(hits[rows].mean(), abs=1e-6), (curve["name"], severity)
    with (scored / "reports/evaluate/label_suspects.csv").open(encoding="utf-8", newline="") as file:
        assert metrics["label_suspects"] == len(list(csv.DictReader(file)))


def test_probabilities_are_calibrated_and_the_temperature_is_of_validation(scored: Path) -> None:
    calibration = load_calibration(scored / "models/evaluate/calibration.json")
    predictions = read_predictions(scored / "data/predict")
    table = pd.read_parquet(scored / "reports/evaluate/predictions.parquet")
    stored = np.stack(table["probabilities"].to_list())
    np.testing.assert_array_equal(stored, softmax(predictions.test.answers, calibration.temperature))
    names = predictions.run.classes
    assert table["id"].tolist() == predictions.test.ids
    assert table["path"].tolist() == predictions.test.rows["path"].to_pylist()
    assert table["predicted"].tolist() == [names[k] for k in stored.argmax(axis=1)]
    np.testing.assert_allclose(table["confidence"], stored.max(axis=1))
    metrics = json.loads((scored / "reports/evaluate/metrics.json").read_text())
    assert metrics["calibration"]["temperature"] == calibration.temperature
    assert metrics["abstention"]["threshold"] == calibration.threshold
    assert metrics["provenance"]["code_version"] == "f" * 12
    assert metrics["provenance"]["data_version"] == load_spec(scored / "models/train/model.json").data_version
    assert metrics["settings"] == [{"name": "train.epochs", "value": 2, "shipped": 12}]


def test_the_test_images_do_not_move_the_calibration_and_what_is_switched_off_is_left_out(
    scored: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(scored, tmp_path / "copied")
    tested = copied / "data/preprocess/test"
    write_images(tested, 255 - read_images(tested))
    run_predict(copied, gallery=0, robustness_images=0)
    shutil.rmtree(copied / "reports/evaluate")
    run_evaluate(copied)
    assert files(copied / "models/evaluate") == files(scored / "models/evaluate")
    out = copied / "reports/evaluate"
    assert (out / "predictions.parquet").read_bytes() != (scored / "reports/evaluate/predictions.parquet").read_bytes()
    assert not (out / "plots/robustness.csv").exists()
    assert json.loads((out / "metrics.json").read_text())["robustness"] == []


def test_a_table_that_is_not_of_predictions_stops_and_leaves_the_last_numbers(scored: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(scored, tmp_path / "copied")
    pq.write_table(
        pq.read_table(copied / "reports/evaluate/predictions.parquet"), copied / "data/predict/predictions.parquet"
    )
    with pytest.raises(DarkroomError, match="does not name its model"):
        run_evaluate(copied)
    assert files(copied / "reports/evaluate") == files(scored / "reports/evaluate")


def test_evaluate_reaches_no_network_and_no_page() -> None:
    reached = Code(ROOT).closure("stages/evaluate.py")
    assert not [
        path for path in reached if path.startswith(("darkroom/network/", "darkroom/training/", "darkroom/drawing/"))
    ]
    code = (
        "import sys, stages.evaluate, cleanlab.filter, scipy.optimize\n"
        "print(sorted({'torch', 'torchvision', 'timm', 'onnxruntime', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.mark.parametrize("stage", ["train", "predict", "quantize"])
def test_another_metric_runs_no_network_again(stage: str) -> None:
    reached = Code(ROOT).closure(f"stages/{stage}.py")
    metrics = [f"darkroom/statistics/{name}.py" for name in ("areas", "calibration", "metrics", "paired")]
    assert not [path for path in reached if path.startswith("darkroom/evaluation/") or path in metrics]


def test_the_facts_of_the_error_analysis_are_in_the_table(scored: Path) -> None:
    assert set(FACTS) < set(pq.read_schema(scored / "data/predict/predictions.parquet").names)
