"""All that decides what a trial comes to, beside what is drawn for it; and the name of the study that holds such trials."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.train import Train
from darkroom.settings.tune import Tune

# Beside checkpoints: outside every output, and safe to delete.
FOLDER = Path(".darkroom/tune")
DATABASE = FOLDER / "trials.db"


class Plan(BaseModel):
    """What a trial's process is told, as a file of JSON in the study's folder.

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
    def as_it_is(self) -> Path:
        """The file with the outcome of the settings as they are."""
        return self.folder / "as-it-is.json"

    def write(self) -> Path:
        """Write the file, and return its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "plan.json"
        path.write_text(self.model_dump_json(), encoding="utf-8")
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
        train: the settings of a trial; what is searched does not count, so that a study goes on after its best is taken over.
        space: what is searched.
        versions: of the code and the data.
    """
    fixed = {name: value for name, value in train.model_dump().items() if name not in space}
    text = json.dumps([fixed, space, *versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
