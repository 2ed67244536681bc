"""Runs and trials are recorded where DVC lists them, and git's HEAD, index, stash and branches stay as they are."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import dvc, experiments
from tests.support.repository import Repository, git_state


def shown(repository: Repository) -> list[dict[str, Any]]:
    """The experiments that `dvc exp show` lists on HEAD."""
    (base,) = json.loads(dvc.ask("exp", "show", "--json", "--no-fetch"))[1:]
    found: list[dict[str, Any]] = base["experiments"] or []
    return found


def test_dvc_lists_compares_and_applies_a_run_and_git_is_left_alone(here: Repository) -> None:
    (here.root / "notes.txt").write_text("mine")
    here.git("add", "notes.txt")
    (here.root / "train.py").write_text((here.root / "train.py").read_text() + "# mine\n")
    before, before_names = git_state(here.root), experiments.recorded()
    status, printed = here.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert git_state(here.root) == before
    lock = (here.root / "dvc.lock").read_text()

    (listed,) = [experiment for experiment in shown(here) if experiment["name"] not in before_names]
    name = listed["name"]
    assert f"recorded as the experiment {name}: `dvc exp show` lists it" in printed
    data = listed["revs"][0]["data"]
    assert data["params"]["params.yaml"]["data"]["train"]["epochs"] == 3
    assert data["metrics"]["reports/evaluate/metrics.json"]["data"]["test"]["accuracy"] == 0.9
    commit = listed["revs"][0]["rev"]
    assert here.git("show", f"{commit}:train.py").endswith("# mine\n")
    assert here.git("show", f"{commit}:dvc.lock") == lock

    # The same again is no other experiment.
    assert experiments.record_run() == name and len(experiments.recorded()) == 2
    assert git_state(here.root) == before
    changed = json.loads(dvc.ask("exp", "diff", "HEAD", name, "--json"))["params"]["params.yaml"]
    assert changed["train.epochs"] == {"old": 12, "new": 3, "diff": -9}
    # DVC itself wants a name when it puts what is not committed aside.
    here.git("config", "user.name", "Tester")
    here.git("config", "user.email", "tester@localhost")
    here.set("epochs", 4)
    dvc.ask("exp", "apply", name)
    assert (here.root / "dvc.lock").read_text() == lock and dvc.is_up_to_date()


def test_what_is_committed_is_no_experiment(here: Repository) -> None:
    here.git("add", "dvc.lock")
    here.git("commit", "--quiet", "--message=first")
    status, printed = here.run("-m", "flows.run")
    assert status == 0 and "experiment" not in printed


def test_without_a_commit_or_without_git_a_run_ends_well_and_says_that_it_is_not_recorded(here: Repository) -> None:
    shutil.rmtree(here.root / ".git")
    status, printed = here.run("-m", "flows.run", "--set", "train.epochs=3")
    assert status == 0, printed
    assert "\nthis run is not recorded as an experiment: experiments need a git repository with a commit" in printed
    here.git("init", "--quiet")
    status, printed = here.run("-m", "flows.run")
    assert status == 0, printed
    assert "\nthis run is not recorded as an experiment: experiments need a git repository with a commit" in printed


def test_what_a_killed_recording_left_is_no_obstacle(here: Repository) -> None:
    (name,) = experiments.recorded()
    reference = here.git("for-each-ref", "--format=%(refname)", "refs/exps").strip()
    here.git("update-ref", "-d", reference)
    for left in (here.root / ".darkroom/experiments/index.lock", here.root / ".git" / f"{reference}.lock"):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("")
    assert experiments.record_run() == name and experiments.recorded() == {name}


def test_dvc_lists_a_trial_with_its_settings_and_nothing_of_another_training(here: Repository) -> None:
    (here.root / "dvc.lock").write_text("schema: '2.0'\nstages:\n  ingest:\n    cmd: a\n  train:\n    cmd: b\n")
    (here.root / "notes.txt").write_text("mine")
    here.git("add", "notes.txt")
    before = git_state(here.root)
    metrics = {"validation": {"loss": 0.25, "accuracy": 0.9}, "step": 3}
    text = Path("params.yaml").read_text().replace("dropout: 0.0", "dropout: 0.4")
    experiments.record_trial("tune-0a1b2c3d-007", text, metrics, ["ingest"])
    assert "tune-0a1b2c3d-007" in experiments.recorded()
    assert git_state(here.root) == before
    (listed,) = [experiment for experiment in shown(here) if experiment["name"] == "tune-0a1b2c3d-007"]
    data = listed["revs"][0]["data"]
    assert data["params"]["params.yaml"]["data"]["train"]["dropout"] == 0.4
    lock = here.git("show", f"{listed['revs'][0]['rev']}:dvc.lock")
    assert "ingest" in lock and "train" not in lock
    assert json.loads(here.git("show", f"{listed['revs'][0]['rev']}:reports/train/metrics.json")) == metrics


def test_a_trial_needs_a_commit(here: Repository) -> None:
    shutil.rmtree(here.root / ".git")
    here.git("init", "--quiet")
    with pytest.raises(DarkroomError, match="with a commit"):
        experiments.record_trial("tune-0a1b2c3d-007", "", {}, [])
