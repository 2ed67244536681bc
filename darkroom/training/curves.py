"""The curves of a training, in the form that `dvc plots` and `dvc metrics` read: written with DVCLive."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """The results of an epoch: losses in nats, accuracies as fractions, the learning rate of the last step.

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

    Steps count epochs from 1. metrics.json has the values of the best epoch, whose weights were saved.
    """
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
