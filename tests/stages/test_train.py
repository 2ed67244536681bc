"""Training: it learns, repeats itself to the bit, survives kills, stops in time and says what is wrong."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from darkroom.errors import DarkroomError
from darkroom.images.packed import load_packed
from darkroom.learning.loop import score
from darkroom.learning.processes import Processes
from darkroom.network.load import load_model
from darkroom.params import read_params
from darkroom.sections import Train
from stages import train
from tests.conftest import ROOT

SETTINGS: dict[str, Any] = read_params(ROOT / "params.yaml").train.model_dump() | {
    "filters": 8, "depth": 2, "epochs": 6, "batch_size": 16, "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.0005,
    "flip": False, "shift": 0.1, "patience": 6, "precision": "float32",
}  # fmt: skip


def run(prepared: Path, root: Path, **changes: object) -> Path:
    data = prepared / "data"
    settings = Train(**SETTINGS | changes)
    splits = data / "split/splits.parquet"
    train.run(
        settings, data / "ingest", splits, data / "preprocess", root / "model", root / "reports", root / "checkpoints"
    )
    return root / "model"


def weights(model: Path) -> bytes:
    return (model / "weights.safetensors").read_bytes()


def test_it_learns_and_what_it_writes_loads_again(prepared: Path, tmp_path: Path) -> None:
    folder = run(prepared, tmp_path)
    model, spec = load_model(folder)
    validation = load_packed(prepared / "data/preprocess/validation")
    loss, accuracy = score(
        model,
        torch.from_numpy(validation.images.copy()),
        torch.from_numpy(validation.labels),
        torch.float32,
        Processes(0, 1, torch.device("cpu")),
    )
    assert accuracy > 0.9
    metrics = json.loads((tmp_path / "reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["validation"] == pytest.approx({"loss": loss, "accuracy": accuracy})
    assert metrics["step"] == spec.epoch
    curve = pd.read_csv(tmp_path / "reports/plots/metrics/validation/loss.tsv", sep="\t")
    assert curve["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert curve["loss"].to_numpy().argmin() + 1 == spec.epoch
    assert not list((tmp_path / "checkpoints").glob("*"))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(prepared: Path, tmp_path: Path) -> None:
    one, two = run(prepared, tmp_path / "one"), run(prepared, tmp_path / "two")
    other = run(prepared, tmp_path / "other", seed=1)
    assert weights(one) == weights(two) != weights(other)
    assert (one / "model.json").read_bytes() == (two / "model.json").read_bytes()


def test_a_killed_training_goes_on_to_the_same_weights(prepared: Path, tmp_path: Path) -> None:
    whole = weights(run(prepared, tmp_path / "whole", epochs=12, patience=12))
    root = tmp_path / "killed"
    root.mkdir()
    for name in ("darkroom", "stages"):
        (root / name).symlink_to(ROOT / name)
    (root / "data").symlink_to(prepared / "data")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["train"] = SETTINGS | {"epochs": 12, "patience": 12}
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    command = [sys.executable, "-m", "stages.train"]
    kills, chance = 0, random.Random(0)
    while not (root / "models/train").exists():
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
        before = set(root.glob(".darkroom/checkpoints/*.pt"))
        started = {path: path.stat().st_mtime_ns for path in before}
        while kills < 2 and process.poll() is None:
            written = list(root.glob(".darkroom/checkpoints/*.pt"))
            if written and started.get(written[0]) != written[0].stat().st_mtime_ns:
                time.sleep(chance.random() / 50)
                os.kill(process.pid, signal.SIGKILL)
                break
        kills += process.wait() == -signal.SIGKILL
    assert kills
    assert weights(root / "models/train") == whole


def test_it_stops_when_validation_no_longer_improves_and_keeps_the_best(prepared: Path, tmp_path: Path) -> None:
    folder = run(prepared, tmp_path, epochs=40, learning_rate=1e-9, schedule="constant", patience=2)
    curve = pd.read_csv(tmp_path / "reports/plots/metrics/validation/loss.tsv", sep="\t")
    best = int(curve["loss"].to_numpy().argmin()) + 1
    assert len(curve) == best + 2 < 40
    assert json.loads((folder / "model.json").read_text(encoding="utf-8"))["epoch"] == best


@pytest.fixture(scope="module")
def lopsided(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root like `prepared`, with four training images of the first class."""
    root = tmp_path_factory.mktemp("lopsided")
    shutil.copytree(prepared / "data", root / "data")
    train = root / "data/preprocess/train"
    labels = np.load(train / "labels.npy")
    chosen = np.sort(np.concatenate([np.flatnonzero(labels != 0), np.flatnonzero(labels == 0)[:4]]))
    for name in ("images", "labels", "ids"):
        np.save(train / f"{name}.npy", np.load(train / f"{name}.npy")[chosen])
    return root


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        ("none", "times fewer: train.balance=weights or train.balance=sampler"),
        ("weights", "in the training loss (train.balance=weights)"),
        ("sampler", "an epoch shows an image"),
    ],
)
def test_a_rare_class_is_told_of_and_balanced(
    lopsided: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], balance: str, said: str
) -> None:
    once, again = (weights(run(lopsided, tmp_path / name, epochs=2, balance=balance)) for name in "ab")
    assert once == again
    assert said in capsys.readouterr().out
    if balance != "none":
        assert once != weights(run(lopsided, tmp_path / "c", epochs=2))


def test_bfloat16_steps_leave_float32_weights(prepared: Path, tmp_path: Path) -> None:
    model, spec = load_model(run(prepared, tmp_path, epochs=1, precision="bfloat16"))
    assert spec.precision == "bfloat16"
    assert all(tensor.dtype != torch.bfloat16 for tensor in model.state_dict().values())


def test_a_torchvision_network_learns_from_small_images_in_bfloat16(prepared: Path, tmp_path: Path) -> None:
    model, spec = load_model(run(prepared, tmp_path, network="resnet18", epochs=1, precision="bfloat16"))
    assert (spec.network, spec.precision, spec.settings) == ("resnet18", "bfloat16", {})
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values() if tensor.is_floating_point())


def test_a_loss_that_is_no_number_says_what_to_change(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"loss is (nan|inf) at step \d+ of epoch .*lower train\.learning_rate"):
        run(prepared, tmp_path, learning_rate=1e30, schedule="constant", optimizer="sgd")
    assert not (tmp_path / "model").exists() and not (tmp_path / "reports").exists()


def test_a_validation_loss_that_is_no_number_keeps_nothing(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"loss is (nan|inf)|hold values that are no numbers"):
        run(prepared, tmp_path, epochs=1, batch_size=100, learning_rate=1e30, schedule="constant")
    assert not (tmp_path / "model").exists()


def test_arrays_of_another_class_list_are_refused(prepared: Path, tmp_path: Path) -> None:
    preprocess = tmp_path / "preprocess"
    preprocess.mkdir()
    stats = json.loads((prepared / "data/preprocess/stats.json").read_text(encoding="utf-8"))
    (preprocess / "stats.json").write_text(json.dumps(stats | {"class_hash": "0" * 64}), encoding="utf-8")
    data = prepared / "data"
    with pytest.raises(DarkroomError, match="another class list"):
        train.run(
            Train(**SETTINGS),
            data / "ingest",
            data / "split/splits.parquet",
            preprocess,
            tmp_path / "m",
            tmp_path / "r",
        )
