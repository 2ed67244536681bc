"""Tuning from the keyboard's side: trials run, stop, fail and are listed by DVC; the best is applied; nothing is lost."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training.curves import Epoch
from darkroom.tuning.study import open_study, results
from darkroom.tuning.trial import DATABASE, StudyConfig, TrialResult, read_result
from flows import dvc, experiments, trial, tune
from stages import train as training
from tests.conftest import ROOT

SPACE = {"learning_rate": {"low": 0.01, "high": 1.0, "log": True}, "dropout": {"low": 0.0, "high": 0.5}}
# In the file's own form: one line is replaced by another.
TINY = {
    "network": "simple_cnn", "filters": 8, "depth": 2, "epochs": 1, "batch_size": 16, "flip": False, "precision": "float32",
}  # fmt: skip


def config(**settings: Any) -> StudyConfig:
    params = read_params(ROOT / PARAMS_FILE)
    small = {"network": "small_image_net", "epochs": 4}
    train = Train.model_validate(params.train.model_dump() | small | settings).resolved()
    return StudyConfig(study="0a1b2c3d", train=train, space=SPACE, pruner="median")


def pretend(monkeypatch: pytest.MonkeyPatch, train: Callable[[Train, int], float]) -> list[Train]:
    """In place of the training: `train` gives the validation loss of an epoch. Returns the settings it is called with."""
    called: list[Train] = []

    def run(
        *, settings: Train, ingest: Path, splits: Path, arrays: Path, out: Path, reports: Path, checkpoints: Path,
        after_epoch: Callable[[Epoch], None],
    ) -> None:  # fmt: skip
        called.append(settings)
        losses = []
        for number in range(1, settings.epochs + 1):
            losses.append(train(settings, number))
            after_epoch(Epoch(number, 0.0, 0.0, losses[-1], 0.5, 0.1))
        reports.mkdir(parents=True, exist_ok=True)
        kept = {"step": losses.index(min(losses)) + 1, "validation": {"loss": min(losses), "accuracy": 0.5}}
        (reports / "metrics.json").write_text(json.dumps(kept))

    monkeypatch.setattr(training, "run", run)
    return called


def test_trials_finish_are_pruned_fail_and_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    interrupted = [3]

    def loss(settings: Train, number: int) -> float:
        at = len(called) - 1
        if at in interrupted and number == 3:
            interrupted.remove(at)
            raise KeyboardInterrupt
        if at == 6:
            raise DarkroomError("the training loss is nan at step 1 of epoch 1")
        return 50.0 if at == 7 else 1 / number - at / 1000

    called = pretend(monkeypatch, loss)
    made = config()
    made.folder.mkdir(parents=True)
    for _ in range(3):
        trial.run_trial(made)
    with pytest.raises(KeyboardInterrupt):
        trial.run_trial(made)
    for _ in range(4):
        trial.run_trial(made)
    found = results(open_study(DATABASE, made.study, "median", 4))
    assert [result.state for result in found] == [*["finished"] * 5, "failed", "pruned"]
    # The one that was cut off was resumed with its own settings, and knows all its epochs once.
    assert called[3] == called[4]
    assert [number for number, _, _ in found[3].epochs] == [1, 2, 3, 4]
    assert found[5].reason.startswith("the training loss is nan") and len(found[6].epochs) < 4
    assert all(settings.epochs == 4 and settings.network == made.train.network for settings in called)


def test_a_training_that_stops_of_the_baseline_stops_the_tuning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def loss(settings: Train, number: int) -> float:
        if number == 2 and len(called) == 1:
            raise DarkroomError("a label is outside the list")
        return 1 / number

    called = pretend(monkeypatch, loss)
    made = config()
    made.folder.mkdir(parents=True)
    with pytest.raises(DarkroomError, match="label is outside"):
        trial.run_baseline(made)
    trial.run_baseline(made)
    assert read_result(made.baseline) == TrialResult(
        None, "finished", {name: getattr(made.train, name) for name in SPACE}, [(n, 1 / n, 0.5) for n in (1, 2, 3, 4)]
    )


def test_a_tuning_ends_with_the_best_in_params_yaml(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The baseline is trained for once; the trials only pretend, and DVC is not there."""
    for name in ("darkroom", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data").symlink_to(prepared / "data")
    shutil.copy(ROOT / PARAMS_FILE, tmp_path)
    monkeypatch.chdir(tmp_path)
    params = read_params(overrides=tuple(f"train.{name}={str(value).lower()}" for name, value in TINY.items()))
    bad = params.train.model_copy(update={"learning_rate": 1e-6, "optimizer": "sgd"})
    space = {"learning_rate": {"low": 0.02, "high": 0.2, "log": True}}
    tuned = params.tune.model_copy(update={"trials": 2, "epochs": None, "timeout": None, "space": space})
    monkeypatch.setattr(tune, "read_params", lambda: replace(params, train=bad, tune=tuned))
    monkeypatch.setattr(dvc, "bring_up_to", lambda stage: None)
    monkeypatch.setattr(experiments, "stages_in_order", lambda: ["preprocess", "train"])
    recorded: set[str] = set()
    monkeypatch.setattr(experiments, "recorded", lambda: recorded)
    monkeypatch.setattr(experiments, "record_trial", lambda name, *_: recorded.add(name))

    def start(path: Path, *arguments: str) -> int:
        made = StudyConfig.model_validate_json(path.read_text())
        if arguments:
            trial.run_baseline(made)
            pretend(monkeypatch, lambda settings, number: float(settings.learning_rate) / 1000)
        else:
            trial.run_trial(made)
        return 0

    monkeypatch.setattr(tune, "_start", start)
    before = (tmp_path / PARAMS_FILE).read_text()
    said = tune.run(apply=False)
    assert "to apply it: make tune APPLY=1" in said and "\nbaseline  validation loss" in said
    assert (tmp_path / PARAMS_FILE).read_text() == before
    page = (tmp_path / "reports/tune/index.html").read_text()
    assert "is the best of 2" in page
    study = next(iter(recorded)).split("-")[1]
    assert recorded == {f"tune-{study}-{end}" for end in ("baseline", "000", "001")}
    # Nothing is left to try: the second call only applies the best.
    monkeypatch.setattr(tune, "_start", lambda *arguments: pytest.fail("it tried again"))
    assert "params.yaml now has the best" in tune.run(apply=True)
    assert (tmp_path / PARAMS_FILE).read_text() == (tmp_path / "reports/tune/params.yaml").read_text() != before
