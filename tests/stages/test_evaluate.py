import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from darkroom.evaluation.calibrate import calibrate
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.inference.logits import logits, softmax
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.provenance import data_version
from darkroom.model.spec import ModelSpec, Preprocessing, load_spec
from darkroom.network.load import build_model, load_model, save_model
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.read import ChangedSetting
from darkroom.statistics.calibration import load_calibration
from tests.shipped import run_evaluate

OUTPUTS = [
    *("confusion.csv", "curves.json", "label_suspects.csv", "metrics.json", "per_class.json", "precision_recall.csv"),
    *("predictions.parquet", "reliability.csv", "report.html", "risk_coverage.csv", "robustness.csv", "roc.csv"),
]
SETTINGS = [ChangedSetting("train.epochs", 2, 12)]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A root with everything that evaluate reads and writes: the digits zero, one and two, and an untrained network for them;
    tests must not write to it."""
    tmp_path = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(prepared / "data", tmp_path / "data")
    stats = json.loads((tmp_path / "data/preprocess/stats.json").read_text())
    spec = ModelSpec(
        network="simple_cnn",
        settings={"filters": 8, "depth": 1, "dropout": 0.0},
        weights="none",
        classes=load_classes(tmp_path / "data/ingest/classes.json"),
        preprocessing=Preprocessing(
            stats["size"],
            stats["channels"],
            stats["resize"],
            stats["decoder"],
            tuple(stats["mean"]),
            tuple(stats["std"]),
        ),
        epoch=2,
        precision="float32",
        seed=0,
        data_version=data_version(tmp_path / "data/ingest", tmp_path / "data/split/splits.parquet"),
        code_version="0" * 12,
    )
    (tmp_path / "models/train").mkdir(parents=True)
    torch.manual_seed(0)
    save_model(build_model(spec), spec, tmp_path / "models/train")
    for name in ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy"):
        path = tmp_path / "reports/train/plots/metrics" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"step\t{path.stem}\n1\t0.75\n2\t0.5\n")
    run_evaluate(tmp_path, settings=SETTINGS)
    return tmp_path


@pytest.fixture
def copied(line: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(line, tmp_path / "copied")


def test_every_test_image_is_predicted_once_and_every_number_follows_from_it(line: Path) -> None:
    out = line / "reports/evaluate"
    assert sorted(path.name for path in out.iterdir()) == OUTPUTS
    table = pd.read_parquet(out / "predictions.parquet")
    ids = [name.decode() for name in np.load(line / "data/preprocess/test/ids.npy").tolist()]
    manifest = read_manifest(line / "data/ingest").to_pandas().set_index("id").loc[ids]
    assert table["id"].tolist() == ids
    assert table["path"].tolist() == manifest["path"].tolist() and table["label"].tolist() == manifest["label"].tolist()

    classes = load_classes(line / "data/ingest/classes.json").names
    probabilities = np.stack(table["probabilities"].to_list())
    assert table["predicted"].tolist() == [classes[k] for k in probabilities.argmax(axis=1)]
    np.testing.assert_allclose(table["confidence"], probabilities.max(axis=1))

    metrics = json.loads((out / "metrics.json").read_text())
    right = int((table["label"] == table["predicted"]).sum())
    assert metrics["test"]["accuracy"] == round(right / len(table), 6)
    assert metrics["test"]["images"] == len(table) == metrics_images(line)
    assert metrics["test"]["accuracy_low"] < metrics["test"]["accuracy"] < metrics["test"]["accuracy_high"]
    assert metrics["provenance"]["code_version"] == "f" * 12
    assert metrics["provenance"]["data_version"] == load_spec(line / "models/train/model.json").data_version

    with (out / "confusion.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["actual"], row["predicted"]) for row in csv.DictReader(file)]
    assert rows == list(zip(table["label"], table["predicted"], strict=True))
    per_class = json.loads((out / "per_class.json").read_text())
    assert [row["name"] for row in per_class] == list(classes)
    assert sum(row["right"] for row in per_class) == right

    assert metrics["settings"] == [{"name": "train.epochs", "value": 2, "shipped": 12}]
    with (out / "robustness.csv").open(encoding="utf-8", newline="") as file:
        assert [row["severity"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4", "5"]


def test_probabilities_are_calibrated_and_the_temperature_is_of_validation(line: Path) -> None:
    out = line / "reports/evaluate"
    calibration = load_calibration(line / "models/evaluate/calibration.json")
    network, _ = load_model(line / "models/train")
    device = torch.device("cpu")
    validation, test = (load_packed(line / "data/preprocess" / split) for split in ("validation", "test"))
    found = calibrate(logits(network, validation.images, device, None), validation.labels, 0.9, 0.95)
    assert calibration == found
    expected = softmax(logits(network, test.images, device, None), calibration.temperature)
    stored = np.stack(pd.read_parquet(out / "predictions.parquet")["probabilities"].to_list())
    np.testing.assert_array_equal(stored, expected)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["calibration"]["temperature"] == calibration.temperature
    assert metrics["abstention"]["threshold"] == calibration.threshold


def test_the_test_images_do_not_move_the_calibration_and_what_is_switched_off_is_left_out(
    line: Path, copied: Path
) -> None:
    images = np.load(copied / "data/preprocess/test/images.npy")
    np.save(copied / "data/preprocess/test/images.npy", 255 - images)
    run_evaluate(copied, gallery=0, robustness_images=0)
    calibration = "models/evaluate/calibration.json"
    assert (copied / calibration).read_bytes() == (line / calibration).read_bytes()
    out = copied / "reports/evaluate"
    assert (out / "predictions.parquet").read_bytes() != (line / "reports/evaluate/predictions.parquet").read_bytes()
    assert not (out / "robustness.csv").exists()
    assert json.loads((out / "metrics.json").read_text())["robustness"] == []
    assert "Not measured" in (out / "report.html").read_text(encoding="utf-8")


def metrics_images(line: Path) -> int:
    count: int = json.loads((line / "data/preprocess/stats.json").read_text())["images"]["test"]
    return count


def test_the_same_inputs_give_the_same_bytes(line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_evaluate(line, out=tmp_path / "model", reports=tmp_path / "reports", settings=SETTINGS)
    calibration = (line / "models/evaluate/calibration.json").read_bytes()
    assert (tmp_path / "model/calibration.json").read_bytes() == calibration
    for name in OUTPUTS:
        found = (tmp_path / "reports" / name).read_bytes()
        assert found == (line / "reports/evaluate" / name).read_bytes(), name
        assert str(line).encode() not in found, f"{name} holds a path of this machine"
    told = capsys.readouterr().out
    assert f"evaluate: {metrics_images(line)} test images, 3 classes, simple_cnn, epoch 2" in told
    assert "accuracy" in told and "macro F1" in told and "95% interval" in told and "recall of" in told


def damage_class_hash(line: Path) -> None:
    path = line / "data/preprocess/stats.json"
    stats = json.loads(path.read_text())
    path.write_text(json.dumps(stats | {"class_hash": "0" * 64}))


def swap_classes_of_model(line: Path) -> None:
    spec = load_spec(line / "models/train/model.json")
    replace(spec, classes=ClassList(("one", "zero", "two"))).save(line / "models/train/model.json")


def swap_classes_of_ingest(line: Path) -> None:
    ClassList(("one", "zero", "two")).save(line / "data/ingest/classes.json")


def train_on_other_data(line: Path) -> None:
    spec = load_spec(line / "models/train/model.json")
    replace(spec, data_version="0" * 12).save(line / "models/train/model.json")


def drop_a_curve(line: Path) -> None:
    (line / "reports/train/plots/metrics/validation/loss.tsv").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_class_hash, r"stats\.json was made with another class list"),
        (swap_classes_of_model, r"models/train was made with another class list .*in another order: "),
        (swap_classes_of_ingest, r"models/train was made with another class list .*in another order: "),
        (train_on_other_data, r"trained on data version 000000000000, .* may have been trained on"),
        (drop_a_curve, r"there is no .*validation/loss\.tsv"),
    ],
)
def test_what_does_not_belong_together_stops_and_leaves_the_last_report(
    copied: Path, damage: Any, message: str
) -> None:
    before = (copied / "reports/evaluate/report.html").read_bytes()
    damage(copied)
    with pytest.raises(DarkroomError, match=message):
        run_evaluate(copied)
    assert (copied / "reports/evaluate/report.html").read_bytes() == before
    assert not list(copied.glob("*/.evaluate.partial"))
