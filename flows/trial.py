"""One trial in a process of its own, started by `flows.tune`: its memory goes back with it, and a crash ends it alone.

Looks at training and validation images; the test split is not read.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import alone
from darkroom.runtime.stage import user_errors
from darkroom.settings.train import Train
from darkroom.training.curves import Epoch
from darkroom.tuning.outcome import Outcome, read_outcome, write_outcome
from darkroom.tuning.plan import DATABASE, FOLDER, Plan
from darkroom.tuning.space import read_space
from darkroom.tuning.study import EPOCHS, REASON, SETTINGS, next_trial, open_study
from stages import train

Epochs = list[tuple[int, float, float]]


def run_trial(plan: Plan) -> None:
    """Take up the trial that was cut off, or draw a new one; train, and tell Optuna what came of it."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    study = open_study(DATABASE, plan.study, plan.pruner, plan.train.epochs)
    trial = next_trial(study, read_space(plan.space, plan.train)[0], plan.train.seed)
    settings = trial.user_attrs[SETTINGS]
    print(f"tune: trial {trial.number}: {' '.join(f'{name}={value}' for name, value in settings.items())}", flush=True)
    before: Epochs = [tuple(epoch) for epoch in trial.user_attrs.get(EPOCHS, [])]
    epochs = {epoch[0]: epoch for epoch in before}

    def after_epoch(epoch: Epoch) -> None:
        # A trial that was cut off goes on from its checkpoint; where that was lost, it repeats what Optuna knows already.
        if epoch.number not in epochs:
            trial.report(epoch.validation_loss, epoch.number)
        epochs[epoch.number] = (epoch.number, epoch.validation_loss, epoch.validation_accuracy)
        trial.set_user_attr(EPOCHS, list(epochs.values()))
        # After the last epoch there is nothing to save.
        if epoch.number < plan.train.epochs and trial.should_prune():
            raise TrialPruned

    try:
        kept = _train(Train.model_validate(plan.train.model_dump() | settings), plan.folder, after_epoch)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except DarkroomError as error:
        # Such as a rate at which the loss is no number: what is like it is drawn less from now on.
        trial.set_user_attr(REASON, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        trial.set_user_attr(EPOCHS, _with_kept(epochs, kept))
        study.tell(trial, kept[1])


def run_as_it_is(plan: Plan) -> None:
    """Train with the settings as they are, for comparison; the outcome lies in the study's folder.

    Raises:
        DarkroomError: whatever stops the training; it would stop every trial.
    """
    before = read_outcome(plan.as_it_is)
    epochs = {epoch[0]: epoch for epoch in (before.epochs if before else [])}
    settings = {name: getattr(plan.train, name) for name in plan.space}
    print("tune: the settings as they are, to compare with", flush=True)

    def after_epoch(epoch: Epoch) -> None:
        epochs[epoch.number] = (epoch.number, epoch.validation_loss, epoch.validation_accuracy)
        write_outcome(plan.as_it_is, Outcome(None, "unfinished", settings, list(epochs.values())))

    kept = _train(plan.train, plan.folder, after_epoch)
    write_outcome(plan.as_it_is, Outcome(None, "finished", settings, _with_kept(epochs, kept)))


def _train(settings: Train, folder: Path, after_epoch: Callable[[Epoch], None]) -> tuple[int, float, float]:
    """The kept epoch: its number, validation loss and accuracy. The network itself is not kept: it takes seconds to minutes."""
    reports = folder / "reports"
    # A folder of its own, so that the checkpoint of the line's own training stays.
    checkpoints = folder / "checkpoints"
    train.run(
        settings,
        train.INGEST,
        train.SPLITS_TABLE,
        train.PREPROCESS,
        folder / "model",
        reports,
        checkpoints,
        after_epoch,
    )
    metrics = json.loads((reports / "metrics.json").read_text(encoding="utf-8"))
    return metrics["step"], metrics["validation"]["loss"], metrics["validation"]["accuracy"]


def _with_kept(epochs: dict[int, tuple[int, float, float]], kept: tuple[int, float, float]) -> Epochs:
    """A kill between the checkpoint of an epoch and its record leaves that epoch out; the kept one is always known."""
    return sorted((epochs | {kept[0]: kept}).values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.trial", description="One trial of `python -m flows.tune`.")
    parser.add_argument("plan", type=Path, help="the file that `flows.tune` wrote")
    parser.add_argument("--as-it-is", action="store_true", help="train with the settings as they are")
    arguments = parser.parse_args()
    plan = Plan.model_validate_json(arguments.plan.read_text(encoding="utf-8"))
    waiting = "tune: a trial of a tuning that was killed is still under way: waiting for its end"
    with user_errors(), alone(FOLDER / "trial.lock", waiting, wait=True):
        if arguments.as_it_is:
            run_as_it_is(plan)
        else:
            run_trial(plan)


if __name__ == "__main__":
    main()
