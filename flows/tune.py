"""`make tune`: try settings of `train` with Optuna, and hand back the best as a change of `params.yaml`.

    python -m flows.tune            # the trials that are still to do; Ctrl-C and start again whenever you like
    python -m flows.tune --apply 1  # and then write the best into params.yaml

Reads: what the stages before `train` made, which are brought up to date first. Nothing is selected on the test split: it is not
read.
Writes: reports/tune/: index.html, params.yaml; .darkroom/tune/: the trials; a DVC experiment for each.
Costs: `tune.trials` trainings, one after another, less what is pruned.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from darkroom.images.pack import load_packed
from darkroom.model.provenance import code_version, data_version
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder
from darkroom.runtime.inputs import read_input_json
from darkroom.runtime.paths import ARRAYS, INGEST, PARAMS_FILE, SELECTION, SPLIT_TABLE
from darkroom.runtime.stage import user_errors
from darkroom.selection.apply import with_choice
from darkroom.settings.networks import AUTO
from darkroom.settings.read import read_params
from darkroom.settings.tune import Tune
from darkroom.settings.write import with_settings, write_params
from darkroom.tuning.page import tuning_page
from darkroom.tuning.space import Space, fit_batch_sizes, read_space, usual_rate_outside
from darkroom.tuning.study import fail_running, importances, open_study, results
from darkroom.tuning.text import at_bounds, progress_text, result_text, space_text
from darkroom.tuning.trial import (
    DATABASE,
    StudyConfig,
    TrialResult,
    best_of,
    read_result,
    study_name,
    trial_settings,
)
from flows import dvc, processes
from flows.experiments import TrialRecorder, full_names
from flows.lock import line_lock

REPORTS = Path("reports/tune")

# Takes the baseline, the trials, and the importance of each setting.
Show = Callable[[TrialResult, list[TrialResult], dict[str, float]], None]


def run(apply: bool) -> str:
    """Try what is still to try.

    Args:
        apply: write the best into `params.yaml`.

    Returns:
        What to print at the end.

    Raises:
        DarkroomError: before any work, for settings that are wrong or can't be combined; later, when the line before `train`
            stops, or when the training of the baseline stops.
    """
    read_params()
    # For the whole of it: trials read the arrays of the line, and `apply` writes params.yaml.
    with line_lock("make tune"):
        return _tune(apply)


def _tune(apply: bool) -> str:
    params = read_params()
    if params.train.network == AUTO:
        # The space is checked against the network that is trained.
        dvc.bring_up_to(SELECTION.name)
    train = trial_settings(with_choice(params.train, SELECTION), params.tune)
    space, unread = read_space(params.tune.space, train)
    if unread:
        print(f"tune: not in the space, since train.network={train.network} does not read them: {', '.join(unread)}")
    if warning := usual_rate_outside(space, train):
        print(f"tune: {warning}")
    dvc.bring_up_to(ARRAYS.name)
    images = read_input_json(ARRAYS / "stats.json", {"images": dict})["images"]["train"]
    entries, left_out = fit_batch_sizes({name: params.tune.space[name] for name in space}, images)
    if left_out:
        print(f"tune: {left_out}")
        space, _ = read_space(entries, train)
    versions = code_version("train"), data_version(INGEST, SPLIT_TABLE), (ARRAYS / "stats.json").read_text()
    name = study_name(train, entries, *versions)
    config = StudyConfig(study=name, train=train, space=entries, pruner=params.tune.pruner)
    print(f"tune: study {name}, {params.tune.trials} trials of {train.epochs} epochs at most: {space_text(space)}")
    try:
        baseline, trials = run_trials(config, params.tune, lambda *found: _write_report(name, space, *found))
    except SystemExit:
        print("\ntune: stopped; finished trials are saved, and the same command goes on from here")
        raise
    return _conclude(baseline, trials, space, apply)


def run_trials(config: StudyConfig, tune: Tune, show: Show) -> tuple[TrialResult, list[TrialResult]]:
    """Run what is still to run: the baseline, then trials until there are enough.

    Args:
        config: of the study.
        tune: how many trials, and how long.
        show: called after each, and at the end.

    Returns:
        The baseline, and all trials of the study, those of earlier calls included.

    Raises:
        DarkroomError: when a training stops in a way that would stop every other too.
    """
    record = TrialRecorder(config)
    path = config.write()
    study = open_study(DATABASE, config.study, config.pruner, config.train.epochs)
    baseline, trials = _run_baseline(config, path), results(study)
    record([baseline, *trials])
    show(baseline, trials, importances(study))
    started, before = time.monotonic(), _ended(trials)
    while _ended(trials) < tune.trials:
        if tune.timeout and time.monotonic() - started > tune.timeout * 60:
            print(f"tune: no further trial begins after {tune.timeout:g} minutes (tune.timeout)")
            break
        if (status := _start(path)) < 0:
            fail_running(study, f"its process was ended by signal {-status}, most often because memory ran out")
        done, trials = _ended(trials), results(study)
        if _ended(trials) == done:
            raise DarkroomError(
                f"a trial was ended by signal {-status} before it began, most often because memory ran out"
            )
        each = (time.monotonic() - started) / max(_ended(trials) - before, 1)
        print(f"tune: {result_text(trials[-1])}\ntune: {progress_text(trials, tune.trials, each)}\n", flush=True)
        record(trials)
        show(baseline, trials, importances(study))
    return baseline, trials


def _ended(trials: list[TrialResult]) -> int:
    return sum(trial.state != "unfinished" for trial in trials)


def _run_baseline(config: StudyConfig, path: Path) -> TrialResult:
    result = read_result(config.baseline)
    if result is None or result.state != "finished":
        if (status := _start(path, "--baseline")) < 0:
            raise DarkroomError(
                f"the training of the baseline was ended by signal {-status}, most often because memory ran out"
            )
        result = read_result(config.baseline)
        assert result
        print(f"tune: {result_text(result)}\n", flush=True)
    return result


def _start(config: Path, *arguments: str) -> int:
    """Run one training to its end; its status, 0 or the negative number of the signal that ended it."""
    command = [sys.executable, "-m", "flows.trial", str(config), *arguments]
    status, _ = processes.run(command, dvc.environment(), None)
    if status > 0:
        raise DarkroomError(f"a trial stopped with status {status}; what it printed is above")
    return status


def _write_report(
    study: str, space: Space, baseline: TrialResult, trials: list[TrialResult], importance: dict[str, float]
) -> None:
    images = len(load_packed(ARRAYS / "validation").labels)
    best = _better(baseline, trials)
    with whole_folder(REPORTS) as folder:
        page = tuning_page(
            study=study,
            baseline=baseline,
            trials=trials,
            best=best,
            space=space,
            importance=importance,
            images=images,
        )
        (folder / "index.html").write_text(page, encoding="utf-8")
        if best:
            text = with_settings(PARAMS_FILE.read_text(encoding="utf-8"), full_names(best.settings))
            (folder / "params.yaml").write_text(text, encoding="utf-8")


def _better(baseline: TrialResult, trials: list[TrialResult]) -> TrialResult | None:
    best = best_of(trials)
    return best if best and best.loss < baseline.loss else None


def _conclude(baseline: TrialResult, trials: list[TrialResult], space: Space, apply: bool) -> str:
    page = REPORTS / "index.html"
    if not (best := _better(baseline, trials)):
        return f"no trial is better than {result_text(baseline)}\nparams.yaml is unchanged\npage  {page}"
    lines = [f"best      {result_text(best)}", f"baseline  {result_text(baseline).partition(': ')[2]}"]
    if bounds := at_bounds(space, best.settings):
        lines.append(f"at a bound of its interval, so that better values may be beyond: {', '.join(bounds)}")
    if apply:
        text = PARAMS_FILE.read_text(encoding="utf-8")
        write_params(PARAMS_FILE, with_settings(text, full_names(best.settings)))
        lines.append("params.yaml now has the best; `git diff params.yaml` shows the change, `make run` trains with it")
    else:
        settings = " ".join(f"{name}={value}" for name, value in full_names(best.settings).items())
        lines += ["to apply it: make tune APPLY=1", f'or type: make run SET="{settings}"']
    return "\n".join(["", *lines, f"page      {page}"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.tune", description="Try settings of the training.")
    parser.add_argument("--apply", default="", help="1: write the best settings into params.yaml")
    arguments = parser.parse_args()
    processes.end_children_on_signals()
    with user_errors():
        if arguments.apply not in ("", "0", "1"):
            raise DarkroomError(f"APPLY={arguments.apply}: should be 1, or nothing")
        print(run(arguments.apply == "1"))


if __name__ == "__main__":
    main()
