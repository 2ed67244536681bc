"""A line that is scored in a second: the input of the tests of predict, evaluate and report."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch

from darkroom.model.classes import load_classes
from darkroom.model.provenance import data_version
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import build_model, save_model
from darkroom.selection.choice import Choice, write_choice
from darkroom.settings.read import ChangedSetting
from darkroom.training.curves import Epoch
from darkroom.training.record import Example, TrainingRecord, UsedSetting, write_record
from tests.support.line import run_evaluate, run_predict

SETTINGS = [ChangedSetting("train.epochs", 2, 12)]


def make_scored_line(root: Path, prepared: Path) -> None:
    """Fill a root with data/, models/ and reports/ up to evaluate: the digits zero, one and two, and an untrained network."""
    shutil.copytree(prepared / "data", root / "data")
    stats = json.loads((root / "data/preprocess/stats.json").read_text())
    spec = ModelSpec(
        network="simple_cnn",
        settings={"filters": 8, "depth": 1, "dropout": 0.0},
        weights="none",
        classes=load_classes(root / "data/ingest/classes.json"),
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
        data_version=data_version(root / "data/ingest", root / "data/split/splits.parquet"),
        code_version="0" * 12,
    )
    (root / "models/train").mkdir(parents=True)
    torch.manual_seed(0)
    save_model(build_model(spec), spec, root / "models/train")
    epochs = [Epoch(1, 0.75, 0.75, 0.75, 0.75, 0.1), Epoch(2, 0.5, 0.5, 0.5, 0.5, 0.1)]
    example = Example("zero", np.zeros((8, 8, 1), np.uint8), [(np.ones((8, 8, 1), np.uint8), "62% zero, 38% one")])
    (root / "reports/train").mkdir(parents=True)
    record = TrainingRecord(epochs, epochs[1], [UsedSetting("epochs", "2", "")], [example])
    write_record(root / "reports/train", record)
    write_choice(Choice({}, "train.network is set", [], {}), root / "models/select")
    run_predict(root)
    run_evaluate(root, settings=SETTINGS)
