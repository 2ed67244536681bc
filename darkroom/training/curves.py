"""The curves of a training, in the form that `dvc plots` and `dvc metrics` read: written with DVCLive, and read again."""

import csv
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; losses in nats, accuracies shares, the rate that of the last step.

    The training loss is the one that was minimised; the validation loss is cross-entropy, whatever was minimised.
    """

    number: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float


def write_curves(history: list[Epoch], best: Epoch, folder: Path) -> None:
    """Log every epoch with DVCLive: plots/metrics/{train,validation}/{loss,accuracy}.tsv and metrics.json.

    Steps count epochs from 1. metrics.json holds the best epoch, whose weights were kept.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live

    logging.getLogger("dvclive").setLevel(logging.ERROR)
    with Live(dir=str(folder), dvcyaml=None, report=None, save_dvc_exp=False) as live:
        for epoch in history:
            _log(live, epoch, plot=True)
        _log(live, best, plot=False)
        live.make_summary()


def _log(live: Any, epoch: Epoch, plot: bool) -> None:
    live.step = epoch.number
    live.log_metric("train/loss", epoch.train_loss, plot=plot)
    live.log_metric("train/accuracy", epoch.train_accuracy, plot=plot)
    live.log_metric("validation/loss", epoch.validation_loss, plot=plot)
    live.log_metric("validation/accuracy", epoch.validation_accuracy, plot=plot)
    live.log_metric("learning_rate", epoch.learning_rate, plot=plot)


@dataclass(frozen=True)
class Curves:
    """What training logged, one value an epoch, the first of epoch 1.

    Attributes:
        train: by metric, `loss` and `accuracy`.
        validation: likewise.
    """

    train: dict[str, list[float]]
    validation: dict[str, list[float]]


def read_curves(folder: Path, chosen: int) -> Curves:
    """Read the plots of a DVCLive folder.

    Args:
        folder: the folder.
        chosen: the epoch whose weights were kept, counted from 1.

    Raises:
        DarkroomError: when the folder lacks one of the four curves, they differ in length, or end before `chosen`.
    """
    train, validation = (
        {metric: _column(folder / "plots" / "metrics" / split / f"{metric}.tsv") for metric in ("loss", "accuracy")}
        for split in ("train", "validation")
    )
    lengths = sorted({len(values) for split in (train, validation) for values in split.values()})
    if len(lengths) != 1 or lengths[0] < chosen:
        raise DarkroomError(
            f"the curves in {folder} have {' and '.join(map(str, lengths))} epochs, and the model is of epoch {chosen}: "
            "run `dvc repro train`"
        )
    return Curves(train, validation)


def _column(path: Path) -> list[float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [float(row[path.stem]) for row in csv.DictReader(file, delimiter="\t")]
    except FileNotFoundError:
        raise DarkroomError(f"there is no {path}, which training writes: run `dvc repro train`") from None
