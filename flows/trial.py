"""One trial in a process of its own, started by `flows.tune`: its memory is freed with it, and a crash ends it alone.

Reads training and validation images, never the test split.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json
from darkroom.runtime.paths import ARRAYS, INGEST, SPLIT_TABLE
from darkroom.runtime.stage import user_errors
from darkroom.settings.train import Train
from darkroom.training.curves import Epoch
from darkroom.tuning.space import read_space
from darkroom.tuning.study import EPOCHS, REASON, SETTINGS, next_trial, open_study
from darkroom.tuning.trial import DATABASE, StudyConfig, TrialResult, read_result, write_result
from stages import train

Epochs = list[tuple[int, float, float]]


def run_trial(config: StudyConfig) -> None:
    """Resume the trial that was cut off, or sample a new one; train, and report the result to Optuna."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    study = open_study(DATABASE, config.study, config.pruner, config.train.epochs)
    trial = next_trial(study, read_space(config.space, config.train)[0], config.train.seed)
    settings = trial.user_attrs[SETTINGS]
    print(f"tune: trial {trial.number}: {' '.join(f'{name}={value}' for name, value in settings.items())}", flush=True)
    before: Epochs = [tuple(epoch) for epoch in trial.user_attrs.get(EPOCHS, [])]
    epochs = {epoch[0]: epoch for epoch in before}

    def after_epoch(epoch: Epoch) -> None:
        # A trial that was cut off resumes from its checkpoint; where that was lost, it repeats what Optuna knows already.
        if epoch.number not in epochs:
            trial.report(epoch.validation_loss, epoch.number)
        epochs[epoch.number] = (epoch.number, epoch.validation_loss, epoch.validation_accuracy)
        trial.set_user_attr(EPOCHS, list(epochs.values()))
        # After the last epoch there is nothing to save.
        if epoch.number < config.train.epochs and trial.should_prune():
            raise TrialPruned

    try:
        best = _train(Train.model_validate(config.train.model_dump() | settings), config.folder, after_epoch)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except DarkroomError as error:
        # Such as a rate at which the loss is not a number: values like it are sampled less from now on.
        trial.set_user_attr(REASON, str(error))
        study.tell(trial, state=TrialState.PRUNED)
    else:
        trial.set_user_attr(EPOCHS, _with_best(epochs, best))
        study.tell(trial, best[1])


def run_baseline(config: StudyConfig) -> None:
    """Train with the settings as `params.yaml` has them, for comparison; the result is a file in the study's folder.

    Raises:
        DarkroomError: whatever stops the training; it would stop every trial.
    """
    before = read_result(config.baseline)
    epochs = {epoch[0]: epoch for epoch in (before.epochs if before else [])}
    settings = {name: getattr(config.train, name) for name in config.space}
    print("tune: the baseline, with the settings as params.yaml has them", flush=True)

    def after_epoch(epoch: Epoch) -> None:
        epochs[epoch.number] = (epoch.number, epoch.validation_loss, epoch.validation_accuracy)
        write_result(config.baseline, TrialResult(None, "unfinished", settings, list(epochs.values())))

    best = _train(config.train, config.folder, after_epoch)
    write_result(config.baseline, TrialResult(None, "finished", settings, _with_best(epochs, best)))


def _train(settings: Train, folder: Path, after_epoch: Callable[[Epoch], None]) -> tuple[int, float, float]:
    """The best epoch: its number, validation loss and accuracy. The network itself is only a by-product."""
    reports = folder / "reports"
    # A folder of its own, so that the checkpoint of the line's own training stays.
    checkpoints = folder / "checkpoints"
    train.run(
        settings=settings,
        ingest=INGEST,
        splits=SPLIT_TABLE,
        arrays=ARRAYS,
        out=folder / "model",
        reports=reports,
        checkpoints=checkpoints,
        after_epoch=after_epoch,
    )
    metrics = read_json(reports / "metrics.json")
    return metrics["step"], metrics["validation"]["loss"], metrics["validation"]["accuracy"]


def _with_best(epochs: dict[int, tuple[int, float, float]], best: tuple[int, float, float]) -> Epochs:
    """A kill between the checkpoint of an epoch and its record leaves that epoch out; the best one is always known."""
    return sorted((epochs | {best[0]: best}).values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.trial", description="One trial of `python -m flows.tune`.")
    parser.add_argument("config", type=Path, help="the file that `flows.tune` wrote")
    parser.add_argument("--baseline", action="store_true", help="train with the settings as params.yaml has them")
    arguments = parser.parse_args()
    config = StudyConfig.model_validate_json(arguments.config.read_text(encoding="utf-8"))
    with user_errors():
        if arguments.baseline:
            run_baseline(config)
        else:
            run_trial(config)


if __name__ == "__main__":
    main()
