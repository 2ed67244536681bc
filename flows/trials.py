"""Runs trials one after another, each in a process of its own, and records each as a DVC experiment."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.base import PARAMS_FILE
from darkroom.settings.tune import Tune
from darkroom.settings.write import with_settings
from darkroom.tuning.outcome import Outcome, read_outcome
from darkroom.tuning.plan import DATABASE, Plan
from darkroom.tuning.space import Value
from darkroom.tuning.study import fail_running, importances, open_study, outcomes
from darkroom.tuning.text import told_outcome, told_progress
from flows import dvc, experiments, processes

# Takes the settings as they are, the trials, and the importance of each setting.
Show = Callable[[Outcome, list[Outcome], dict[str, float]], None]


def run_trials(plan: Plan, tune: Tune, show: Show) -> tuple[Outcome, list[Outcome]]:
    """Run what is still to run: the settings as they are, then trials until there are enough.

    Args:
        plan: of the study.
        tune: how many trials, and how long.
        show: called after each, and at the end.

    Returns:
        The outcome of the settings as they are, and of all trials of the study, those of earlier calls included.

    Raises:
        DarkroomError: when a training stops in a way that would stop every other too.
    """
    record = _Recorder(plan)
    path = plan.write()
    study = open_study(DATABASE, plan.study, plan.pruner, plan.train.epochs)
    as_it_is = _as_it_is(plan, path)
    tried = outcomes(study)
    record([as_it_is, *tried])
    show(as_it_is, tried, importances(study))
    started, before = time.monotonic(), _ended(tried)
    while _ended(tried) < tune.trials:
        if tune.timeout and time.monotonic() - started > tune.timeout * 60:
            print(f"tune: no further trial begins after {tune.timeout:g} minutes (tune.timeout)")
            break
        if (status := _start(path)) < 0:
            fail_running(study, f"its process was ended by signal {-status}, most often because memory ran out")
        done, tried = _ended(tried), outcomes(study)
        if _ended(tried) == done:
            raise DarkroomError(
                f"a trial was ended by signal {-status} before it began, most often because memory ran out"
            )
        each = (time.monotonic() - started) / max(_ended(tried) - before, 1)
        print(f"tune: {told_outcome(tried[-1])}\ntune: {told_progress(tried, tune.trials, each)}\n", flush=True)
        record(tried)
        show(as_it_is, tried, importances(study))
    return as_it_is, tried


def _ended(tried: list[Outcome]) -> int:
    return sum(outcome.state != "unfinished" for outcome in tried)


def _as_it_is(plan: Plan, path: Path) -> Outcome:
    found = read_outcome(plan.as_it_is)
    if found is None or found.state != "finished":
        if (status := _start(path, "--as-it-is")) < 0:
            raise DarkroomError(
                f"the training with the settings as they are was ended by signal {-status}, most often because memory ran out"
            )
        found = read_outcome(plan.as_it_is)
        assert found
        print(f"tune: {told_outcome(found)}\n", flush=True)
    return found


def _start(plan: Path, *arguments: str) -> int:
    """Run one training to its end; its status, 0 or the negative number of the signal that ended it."""
    command = [sys.executable, "-m", "flows.trial", str(plan), *arguments]
    status, _ = processes.run(command, dvc.environment(), None)
    if status > 0:
        raise DarkroomError(f"a trial stopped with status {status}; what it printed stands above")
    return status


class _Recorder:
    """Makes an experiment of each training that ended and has none yet."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._text = PARAMS_FILE.read_text(encoding="utf-8")
        stages = dvc.stages_in_order()
        self._before_train = stages[: stages.index("train")]

    def __call__(self, trained: list[Outcome]) -> None:
        there = experiments.recorded()
        for outcome in trained:
            name = experiment_name(self._plan.study, outcome)
            if outcome.state != "unfinished" and name not in there:
                settings = outcome.settings | {"epochs": self._plan.train.epochs}
                text = with_settings(self._text, full_names(settings))
                experiments.record_trial(name, text, outcome.metrics(), self._before_train)


def full_names(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Settings of `train` under the names that `make run SET=…` takes."""
    return {f"train.{name}": value for name, value in settings.items()}


def experiment_name(study: str, outcome: Outcome) -> str:
    """`tune-STUDY-NUMBER`, and how it ended where that was before its time."""
    place = "as-it-is" if outcome.number is None else f"{outcome.number:03}"
    return f"tune-{study}-{place}" + ("" if outcome.state == "finished" else f"-{outcome.state}")
