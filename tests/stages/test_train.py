"""Training: it learns, repeats itself to the bit, survives kills, stops in time and says what is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from darkroom.images.pack import load_packed
from darkroom.model.fold_heads import ANSWERS, FOLD_HEADS
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training import fit
from darkroom.training.distributed import Processes
from darkroom.training.loop import score
from darkroom.training.record import read_record
from stages import train
from tests.conftest import ROOT
from tests.support.packed import read_images, write_images

SETTINGS: dict[str, Any] = read_params(ROOT / "params.yaml").train.model_dump() | {
    "network": "simple_cnn", "filters": 8, "depth": 2, "dropout": 0.1, "epochs": 6, "label_smoothing": 0.0,
    "batch_size": 16, "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.0005,
    "flip": False, "shift": 0.1, "cutout": 0.0, "patience": 6, "precision": "float32",
}  # fmt: skip


def run(prepared: Path, root: Path, **changes: object) -> Path:
    data = prepared / "data"
    train.run(
        # Copied, so that a rate beyond the limit, which diverges at once, gets past the settings.
        settings=Train(**SETTINGS).model_copy(update=changes),
        ingest=data / "ingest",
        splits=data / "split/splits.parquet",
        arrays=data / "preprocess",
        out=root / "model",
        reports=root / "reports",
        checkpoints=root / "checkpoints",
    )
    return root / "model"


def repository(prepared: Path, root: Path, **changes: object) -> Path:
    """A folder in which `python -m stages.train` runs."""
    root.mkdir()
    for name in ("darkroom", "stages"):
        (root / name).symlink_to(ROOT / name)
    (root / "data").symlink_to(prepared / "data")
    (root / "often.py").write_text(OFTEN, encoding="utf-8")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["train"] = SETTINGS | changes
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return root


# Trains with a checkpoint after each step, and one process ends itself, once, as the kernel ends what takes too much memory.
OFTEN = """
import os, signal
from pathlib import Path
from darkroom.training import loop
from stages import train

loop.SECONDS_BETWEEN_CHECKPOINTS = 0
step, left, killed = loop._step, [int(os.environ["KILL_AFTER"])], Path("killed")

def end_or_step(*arguments):
    left[0] -= 1
    if left[0] < 0 and os.environ.get("RANK", "0") == os.environ.get("KILLED", "0") and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    step(*arguments)

loop._step = end_or_step
train.main()
"""


def start(root: Path, module: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module]
    return subprocess.run(
        command, cwd=root, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )


def weights(model: Path) -> bytes:
    return (model / "weights.safetensors").read_bytes()


def test_it_learns_and_what_it_writes_loads_again(prepared: Path, tmp_path: Path) -> None:
    folder = run(prepared, tmp_path)
    model, spec = load_model(folder)
    validation = load_packed(prepared / "data/preprocess/validation")
    loss, accuracy = score(
        model,
        torch.from_numpy(np.array(validation.images)),
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


RESUMED: dict[str, Any] = {"epochs": 3, "patience": 3, "dropout": 0.3, "ema": 0.9, "optimizer": "muon", "mixup": 0.2}


def test_a_training_killed_within_an_epoch_resumes_to_the_same_weights(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = weights(run(prepared, tmp_path / "whole", **RESUMED))
    root = repository(prepared, tmp_path / "killed", **RESUMED)
    # The second epoch's third step: an epoch has four.
    assert start(root, "often", KILL_AFTER="7").returncode == -signal.SIGKILL
    (root / ".darkroom/checkpoints").rename(root / "checkpoints")
    assert weights(run(prepared, root, **RESUMED)) == whole
    assert "train: resumed after epoch 1 and 3 steps" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_the_weights_are_those_of_an_undisturbed_training(
    prepared: Path, tmp_path: Path
) -> None:
    settings = RESUMED | {"processes": 2, "optimizer": "sgd"}
    whole = repository(prepared, tmp_path / "whole", **settings)
    done = start(whole, "stages.train")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("train: best epoch") == 1 and "2 processes" in done.stdout
    for rank in (0, 1):
        root = repository(prepared, tmp_path / f"killed {rank}", **settings)
        recovered = start(root, "often", KILL_AFTER="7", KILLED=str(rank))
        assert recovered.returncode == 0, recovered.stderr
        said = (
            f"train: training process {rank + 1} of 2 was killed by SIGKILL; all start again from the last checkpoint"
        )
        assert said in recovered.stdout and "train: resumed after epoch 1 and " in recovered.stdout
        assert weights(root / "models/train") == weights(whole / "models/train")
        metrics = [(each / "reports/train/metrics.json").read_bytes() for each in (root, whole)]
        assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_two_processes_train_as_one_does_with_synchronised_batch_normalisation(prepared: Path, tmp_path: Path) -> None:
    # Batches of 15: the processes have 8 and 7 of them.
    settings = {"epochs": 3, "dropout": 0.0, "batch_size": 15, "sync_batchnorm": True}
    run(prepared, tmp_path / "one", **settings)
    root = repository(prepared, tmp_path / "two", processes=2, **settings)
    assert (done := start(root, "stages.train")).returncode == 0, done.stderr
    one, two = (read_record(folder).epochs for folder in (tmp_path / "one/reports", root / "reports/train"))
    for name in ("train_loss", "validation_loss"):
        assert [getattr(each, name) for each in two] == pytest.approx([getattr(each, name) for each in one], abs=1e-4)


@pytest.mark.slow
def test_another_number_of_processes_goes_on_from_a_checkpoint(prepared: Path, tmp_path: Path) -> None:
    root = repository(prepared, tmp_path / "root", **RESUMED)
    assert start(root, "often", KILL_AFTER="7").returncode == -signal.SIGKILL
    text = (root / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(text.replace("processes: auto", "processes: 2"), encoding="utf-8")
    done = start(root, "stages.train")
    assert done.returncode == 0 and "train: resumed after epoch 1 and 3 steps" in done.stdout, done.stderr
    assert "2 processes" in done.stdout and len(read_record(root / "reports/train").epochs) == 3


def test_a_mistake_in_several_processes_is_one_message(prepared: Path, tmp_path: Path) -> None:
    root = repository(prepared, tmp_path / "two", processes=2, learning_rate=100, schedule="constant")
    failed = start(root, "stages.train")
    assert failed.returncode == 1
    assert failed.stderr.count("error:") == 1 and "Traceback" not in failed.stderr, failed.stderr
    assert "set a lower train.learning_rate" in failed.stderr


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(prepared: Path, tmp_path: Path) -> None:
    root = repository(prepared, tmp_path / "two", processes=2, epochs=10_000, patience=10_000)
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        stage = subprocess.Popen([sys.executable, "-m", "stages.train"], cwd=root, stdout=subprocess.PIPE, text=True)
        assert stage.stdout is not None
        next(line for line in stage.stdout if line.startswith("epoch "))
        workers = psutil.Process(stage.pid).children(recursive=True)
        assert len(workers) == 2
        stage.send_signal(ending)
        assert stage.wait(60) == (-ending if ending == signal.SIGKILL else 128 + ending)
        assert not psutil.wait_procs(workers, timeout=10)[1]


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
    write_images(train, read_images(train)[chosen])
    for name in ("labels", "ids"):
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
            settings=Train(**SETTINGS),
            ingest=data / "ingest",
            splits=data / "split/splits.parquet",
            arrays=preprocess,
            out=tmp_path / "m",
            reports=tmp_path / "r",
        )


def load_metrics(root: Path, model: Path) -> dict[str, Any]:
    assert (model / "weights.safetensors").exists()
    content: dict[str, Any] = json.loads((root / "reports/metrics.json").read_text(encoding="utf-8"))
    return content


def test_a_frozen_backbone_stays_and_its_features_are_worked_out_once(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    (tmp_path / "darkroom").symlink_to(ROOT / "darkroom")
    monkeypatch.chdir(tmp_path)
    first = run(prepared, tmp_path / "first", epochs=4)
    begun = str(first / "weights.safetensors")
    frozen = run(prepared, tmp_path / "frozen", weights=begun, freeze="backbone", shift=0.0, optimizer="adamw")
    assert "only the last layer is trained, on the features of" in capsys.readouterr().out
    before, after = (load_file(folder / "weights.safetensors") for folder in (first, frozen))
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.3.weight", "head.3.bias"}
    augmented = run(prepared, tmp_path / "augmented", weights=begun, freeze="backbone", shift=0.1, epochs=1)
    after = load_file(augmented / "weights.safetensors")
    assert {name for name, tensor in after.items() if not torch.equal(tensor, before[name])} == changed


def test_a_last_layer_alone_is_fitted_by_cross_validated_regression(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    (tmp_path / "darkroom").symlink_to(ROOT / "darkroom")
    monkeypatch.chdir(tmp_path)
    begun = str(run(prepared, tmp_path / "first", epochs=1) / "weights.safetensors")
    frozen = {"weights": begun, "freeze": "backbone", "shift": 0.0, "optimizer": "auto"}
    fitted, again = (run(prepared, tmp_path / name, **frozen) for name in ("one", "two"))
    assert "out of fold" in capsys.readouterr().out
    for name in ("weights.safetensors", "model.json", ANSWERS, FOLD_HEADS):
        assert (fitted / name).read_bytes() == (again / name).read_bytes()
    before, after = load_file(begun), load_file(fitted / "weights.safetensors")
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"head.3.weight", "head.3.bias"}
    packed, record = load_packed(prepared / "data/preprocess/train"), read_record(tmp_path / "one/reports")
    answers, heads = np.load(fitted / ANSWERS), load_file(fitted / FOLD_HEADS)
    judged = heads["fold"].numpy() >= 0
    correct = answers.argmax(1) == packed.labels
    best = record.strengths[record.best.number - 1]
    assert best["accuracy"] == correct[judged].mean() > 0.6 and record.best.validation_accuracy > 0.6
    model, _ = load_model(fitted)
    with torch.no_grad():
        logits = model(torch.from_numpy(np.array(packed.images)))
    assert (logits.argmax(1).numpy() == packed.labels).mean() == pytest.approx(record.best.train_accuracy, abs=0.02)
    with pytest.raises(DarkroomError, match=r"lbfgs fits the last layer alone: train\.freeze must be backbone"):
        run(prepared, tmp_path / "three", optimizer="lbfgs", shift=0.0, flip=False)


def test_a_whitening_that_comes_with_weights_stays(prepared: Path, tmp_path: Path) -> None:
    first = run(prepared, tmp_path / "first", network="small_image_net", epochs=1, seed=1)
    begun = str(first / "weights.safetensors")
    again = run(prepared, tmp_path / "again", network="small_image_net", epochs=1, seed=2, weights=begun)
    before, after = (load_file(folder / "weights.safetensors")["whitening.weight"] for folder in (first, again))
    assert torch.equal(before, after) and before.abs().sum() > 0


def test_labels_outside_the_class_list_are_refused(lopsided: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(lopsided / "data", data)
    labels = np.load(data / "preprocess/train/labels.npy")
    labels[3] = 17
    np.save(data / "preprocess/train/labels.npy", labels)
    with pytest.raises(
        DarkroomError, match=r"1 labels are outside the class list of \d+ classes, the first is 17 in row 3"
    ):
        run(tmp_path, tmp_path / "x")


def test_a_lack_of_memory_says_what_needs_less(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        torch.empty(2**60)

    monkeypatch.setattr(fit, "run_epochs", full)
    with pytest.raises(DarkroomError, match=r"memory is not enough for steps of 16 images .* set train\.batch_size=8"):
        run(prepared, tmp_path)


def test_the_record_has_what_was_chosen_and_why(prepared: Path, tmp_path: Path) -> None:
    run(prepared, tmp_path, optimizer="auto", epochs=1)
    record = read_record(tmp_path / "reports")
    assert "the standard for convolutional networks" in next(
        each.reason for each in record.settings if each.name == "optimizer"
    )
    assert len(record.epochs) == 1 and record.best == record.epochs[0] and len(record.examples) == 6
