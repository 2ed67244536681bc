"""The settings that are trained with: those of `params.yaml`, with the choice of `select` in place of `auto`."""

from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.selection.choice import read_choice
from darkroom.settings.networks import AUTO
from darkroom.settings.train import Train
from darkroom.training.recipe import Recipe


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


def recipe_of(train: Train, folder: Path) -> Recipe | None:
    """How the upper blocks are fine-tuned, as the choice of `select` has it; None where they are not.

    Args:
        train, folder: as for `with_choice`.
    """
    tuning = read_choice(folder).plan.get("fine_tuning") if train.network == AUTO else None
    return Recipe(tuning["epochs"], tuning["forms"]) if tuning and tuning["epochs"] else None
