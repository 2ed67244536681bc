"""The choice that `select` writes: which network is trained and how, why, and what else was tried; needs no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from darkroom.runtime.inputs import read_input_json
from darkroom.settings.networks import AUTO
from darkroom.settings.train import Train

FILE = "choice.json"
FIELDS: dict[str, type | tuple[type, ...]] = {"settings": dict, "reason": str, "tried": list, "plan": dict}


@dataclass(frozen=True)
class Choice:
    """What `select` decided.

    Attributes:
        settings: of `train`, to be used in place of those that are `auto`; none where the network is set.
        reason: for the choice, in one sentence.
        tried: one row for each candidate that was scored.
        plan: how many images each round of the search takes, and what it was made for; empty where nothing was searched.
    """

    settings: dict[str, Any]
    reason: str
    tried: list[dict[str, Any]]
    plan: dict[str, Any]


def write_choice(choice: Choice, out: Path) -> None:
    """Write `choice.json` into a folder, whole or not at all."""
    with whole_folder(out) as folder:
        write_json(folder / FILE, asdict(choice))


def read_choice(folder: Path) -> Choice:
    """Read what `write_choice` wrote.

    Raises:
        FileNotFoundError: when there is none.
        DarkroomError: when the file is damaged.
    """
    content = read_input_json(folder / FILE, FIELDS)
    return Choice(**{name: content[name] for name in FIELDS})


def with_choice(train: Train, folder: Path) -> Train:
    """The settings that are trained with: no `auto` is left that decides which network it is, or what it starts from.

    Args:
        train: as set; where its network is `auto` the choice takes its place, else the folder is not read.
        folder: that `select` wrote.

    Raises:
        DarkroomError: when the choice was made for other settings.
    """
    if train.network != AUTO:
        return train.resolved()
    choice = read_choice(folder)
    if "network" not in choice.settings:
        raise DarkroomError(f"{folder} was made for a network that was set: run `dvc repro select` to make it again")
    return train.model_copy(update=choice.settings).resolved()
