"""A study of trials as its processes share it: its configuration, and the result of each trial."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json, whole_file
from darkroom.settings.train import Train
from darkroom.settings.tune import Tune
from darkroom.tuning.space import Value

# Beside checkpoints: outside every output, and safe to delete.
FOLDER = Path(".darkroom/tune")
DATABASE = FOLDER / "trials.db"


class StudyConfig(BaseModel):
    """All that decides the result of a trial, except the values sampled for it; a JSON file in the study's folder.

    Attributes:
        study: its name.
        train: the settings that are not in the space, and the epochs of a trial.
        space: the entries that are searched, in the form of `tune.space`.
        pruner: `none`, `median` or `hyperband`.
    """

    model_config = ConfigDict(frozen=True)

    study: str
    train: Train
    space: dict[str, dict[str, Any]]
    pruner: str

    @property
    def folder(self) -> Path:
        return FOLDER / self.study

    @property
    def baseline(self) -> Path:
        """The file with the result of the baseline: the settings as `params.yaml` has them."""
        return self.folder / "baseline.json"

    def write(self) -> Path:
        """Write the file, and return its path."""
        path = self.folder / "study.json"
        with whole_file(path) as partial:
            partial.write_text(self.model_dump_json(), encoding="utf-8")
        return path


def trial_settings(train: Train, tune: Tune) -> Train:
    """The settings of every trial: those of `train`, with `tune.epochs` where it is set.

    Raises:
        DarkroomError: when the other settings do not go with so many epochs.
    """
    if tune.epochs is None:
        return train
    try:
        return Train.model_validate(train.model_dump() | {"epochs": tune.epochs})
    except ValidationError as error:
        reasons = "; ".join(str(detail.get("ctx", {}).get("error", detail["msg"])) for detail in error.errors())
        raise DarkroomError(f"tune.epochs is {tune.epochs}, and {reasons}") from None


def study_name(train: Train, space: Mapping[str, Mapping[str, Any]], *versions: str) -> str:
    """8 hex digits that are the same only for trials that can be compared.

    Args:
        train: the settings of a trial; what is searched does not count, so that a study goes on after its best is applied.
        space: what is searched.
        versions: of the code and the data.
    """
    fixed = {name: value for name, value in train.model_dump().items() if name not in space}
    text = json.dumps([fixed, space, *versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class TrialResult:
    """One trial, or the baseline.

    Attributes:
        number: of the trial, from 0; None: the baseline.
        state: `finished`; `pruned`, ended early since it was behind; `failed`, ended for the `reason`; `unfinished`, cut
            off, and resumed by the next run.
        settings: by name, what it was trained with, of the space alone.
        epochs: (epoch, validation loss, validation accuracy) of each epoch that ended, in order.
        reason: why it failed; else empty.
    """

    number: int | None
    state: Literal["finished", "pruned", "failed", "unfinished"]
    settings: dict[str, Value]
    epochs: list[tuple[int, float, float]]
    reason: str = ""

    @property
    def best_epoch(self) -> tuple[int, float, float] | None:
        """The epoch whose weights training returns: the one with the lowest validation loss, the first of equals."""
        return min(self.epochs, key=lambda epoch: epoch[1], default=None)

    @property
    def loss(self) -> float:
        """Validation loss of the best epoch, in nats; infinite where no epoch ended."""
        return self.best_epoch[1] if self.best_epoch else float("inf")

    @property
    def name(self) -> str:
        return "the baseline" if self.number is None else f"trial {self.number}"

    def metrics(self) -> dict[str, Any]:
        """In the form of `reports/train/metrics.json`, as far as it is known."""
        if self.best_epoch is None:
            return {}
        step, loss, accuracy = self.best_epoch
        return {"validation": {"loss": loss, "accuracy": accuracy}, "step": step}


def best_of(results: Sequence[TrialResult]) -> TrialResult | None:
    """The finished one with the lowest validation loss, the first of equals; None where none finished.

    Every trial is compared after all its epochs: a pruned one is not selected, however low it was.
    """
    finished = [result for result in results if result.state == "finished"]
    return min(finished, key=lambda result: result.loss, default=None)


def write_result(path: Path, result: TrialResult) -> None:
    """Write a result whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(asdict(result)), encoding="utf-8")


def read_result(path: Path) -> TrialResult | None:
    """What `write_result` wrote, or None where there is nothing."""
    if not path.exists():
        return None
    content = read_json(path)
    return TrialResult(**content | {"epochs": [tuple(epoch) for epoch in content["epochs"]]})
