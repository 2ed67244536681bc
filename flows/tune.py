"""`make tune`: try settings of `train` with Optuna, and hand back the best as a change of `params.yaml`.

    python -m flows.tune            # the trials that are still to do; Ctrl-C and start again whenever you like
    python -m flows.tune --apply 1  # and then write the best into params.yaml

Reads: what the stages before `train` made, which are brought up to date first. The validation loss chooses; the test split is
not read.
Writes: reports/tune/: index.html, params.yaml; .darkroom/tune/: the trials; a DVC experiment for each.
Costs: `tune.trials` trainings, one after another, less what is pruned.
"""

import argparse
from pathlib import Path

from darkroom.images.pack import load_packed
from darkroom.model.provenance import code_version, data_version
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import alone, whole_folder
from darkroom.runtime.stage import user_errors
from darkroom.settings.base import PARAMS_FILE
from darkroom.settings.read import read_params
from darkroom.settings.write import with_settings, write_params
from darkroom.tuning.outcome import Outcome, best_of
from darkroom.tuning.page import tuning_page
from darkroom.tuning.plan import FOLDER, Plan, study_name, trial_settings
from darkroom.tuning.rate import usual_rate_outside
from darkroom.tuning.space import Space, read_space
from darkroom.tuning.text import at_an_end, told_outcome, told_space
from flows import dvc, processes
from flows.trials import full_names, run_trials

INGEST, SPLITS_TABLE, PREPROCESS = Path("data/ingest"), Path("data/split/splits.parquet"), Path("data/preprocess")
REPORTS = Path("reports/tune")


def run(apply: bool) -> str:
    """Try what is still to try.

    Args:
        apply: write the best into `params.yaml`.

    Returns:
        What to print at the end.

    Raises:
        DarkroomError: before any work, for settings that are wrong or can't meet; later, when the line before `train` stops,
            when another tuning is at work here, or when the training stops with the settings as they are.
    """
    params = read_params()
    train = trial_settings(params.train, params.tune)
    space, unread = read_space(params.tune.space, train)
    if unread:
        print(
            f"tune: left out of the space, since train.network={train.network} does not read them: {', '.join(unread)}"
        )
    if warning := usual_rate_outside(space, train):
        print(f"tune: {warning}")
    with alone(FOLDER / "lock", "another tuning is at work in this folder: wait for it, or end it"):
        dvc.bring_up_to(PREPROCESS.name)
        entries = {name: params.tune.space[name] for name in space}
        versions = code_version("train"), data_version(INGEST, SPLITS_TABLE), (PREPROCESS / "stats.json").read_text()
        plan = Plan(study=study_name(train, entries, *versions), train=train, space=entries, pruner=params.tune.pruner)
        print(
            f"tune: study {plan.study}, {params.tune.trials} trials of {train.epochs} epochs at most: {told_space(space)}"
        )

        def show(as_it_is: Outcome, tried: list[Outcome], importance: dict[str, float]) -> None:
            validation = len(load_packed(PREPROCESS / "validation").labels)
            best = _better(as_it_is, tried)
            with whole_folder(REPORTS) as folder:
                page = tuning_page(plan.study, as_it_is, tried, best, space, importance, validation)
                (folder / "index.html").write_text(page, encoding="utf-8")
                if best:
                    text = with_settings(PARAMS_FILE.read_text(encoding="utf-8"), full_names(best.settings))
                    (folder / "params.yaml").write_text(text, encoding="utf-8")

        try:
            as_it_is, tried = run_trials(plan, params.tune, show)
        except SystemExit:
            print("\ntune: stopped; what is done is kept, and the same command goes on from here")
            raise
    return _conclude(as_it_is, tried, space, apply)


def _better(as_it_is: Outcome, tried: list[Outcome]) -> Outcome | None:
    best = best_of(tried)
    return best if best and best.loss < as_it_is.loss else None


def _conclude(as_it_is: Outcome, tried: list[Outcome], space: Space, apply: bool) -> str:
    page = REPORTS / "index.html"
    if not (best := _better(as_it_is, tried)):
        return (
            f"nothing that was tried is better than {told_outcome(as_it_is)}\nparams.yaml stays as it is\npage  {page}"
        )
    lines = [f"best   {told_outcome(best)}", f"before {told_outcome(as_it_is)}"]
    if ends := at_an_end(space, best.settings):
        lines.append(f"at an end of its interval, so that better may lie beyond: {', '.join(ends)}")
    if apply:
        text = PARAMS_FILE.read_text(encoding="utf-8")
        write_params(PARAMS_FILE, with_settings(text, full_names(best.settings)))
        lines.append(
            "params.yaml holds the best now; `git diff params.yaml` shows the change, `make run` trains with it"
        )
    else:
        settings = " ".join(f"{name}={value}" for name, value in full_names(best.settings).items())
        lines += ["take it over: make tune APPLY=1", f'or type: make run SET="{settings}"']
    return "\n".join(["", *lines, f"page   {page}"])


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
