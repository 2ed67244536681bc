"""What a training leaves for people: its epochs, its settings, and some images as the network saw them; needs no torch."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.runtime.inputs import read_input_json, stage_input
from darkroom.training.curves import Epoch
from darkroom.training.recipe import FineTuned

FILE, PICTURES = "training.json", "examples.npy"


@dataclass(frozen=True)
class Example:
    """One training image.

    Attributes:
        label: the name of its class.
        image: uint8 [S, S, C], as it is.
        draws: as the network sees it in the first epochs, each with what it counts as: `62% cat, 38% dog` where another was
            mixed in, otherwise the label.
    """

    label: str
    image: UInt8s
    draws: list[tuple[UInt8s, str]]


@dataclass(frozen=True)
class UsedSetting:
    """A setting as it was used; with the reason where it was chosen for the user, else empty."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True)
class TrainingRecord:
    """A training, after the fact.

    Attributes:
        epochs: from the first on.
        best: the one whose weights were saved.
        settings: all of them.
        examples: training images before and after augmentation.
        strengths: where the last layer was fitted by logistic regression, strength, accuracy and loss out of fold of each
            strength tried; the epochs are theirs, with the strength as learning rate. Else empty.
        tuned: what a fine-tuning came to, where one was tried.
    """

    epochs: list[Epoch]
    best: Epoch
    settings: list[UsedSetting]
    examples: list[Example]
    strengths: list[dict[str, float]] = field(default_factory=list)
    tuned: FineTuned | None = None


def write_record(folder: Path, record: TrainingRecord) -> None:
    """Write `training.json`, and `examples.npy`, uint8 [images, 1 + draws, S, S, C]: each image, then its draws."""
    content = {
        "best": record.best.number,
        "epochs": [
            # JSON has no infinity.
            {name: value if math.isfinite(value) else None for name, value in asdict(epoch).items()}
            for epoch in record.epochs
        ],
        "settings": [asdict(setting) for setting in record.settings],
        "examples": [{"label": each.label, "draws": [text for _, text in each.draws]} for each in record.examples],
        "strengths": record.strengths,
    } | ({"fine_tuning": asdict(record.tuned)} if record.tuned else {})
    write_json(folder / FILE, content)
    np.save(folder / PICTURES, np.stack([_pictures(each) for each in record.examples]))


def _pictures(example: Example) -> UInt8s:
    return np.stack([example.image, *(picture for picture, _ in example.draws)])


@stage_input
def read_record(folder: Path) -> TrainingRecord:
    """Read what `write_record` wrote."""
    content, pictures = read_input_json(folder / FILE), np.load(folder / PICTURES)
    epochs = [_epoch(values) for values in content["epochs"]]
    return TrainingRecord(
        epochs=epochs,
        best=next(epoch for epoch in epochs if epoch.number == content["best"]),
        settings=[UsedSetting(**setting) for setting in content["settings"]],
        examples=[
            Example(each["label"], image, list(zip(draws, each["draws"], strict=True)))
            for each, (image, *draws) in zip(content["examples"], pictures, strict=True)
        ],
        strengths=content["strengths"],
        tuned=FineTuned(**content["fine_tuning"]) if "fine_tuning" in content else None,
    )


def _epoch(values: dict[str, Any]) -> Epoch:
    finite: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
    return Epoch(**finite)


def require_same_epoch(record: TrainingRecord, epoch: int, folder: Path) -> None:
    """Stop where a record is not that of a model.

    Raises:
        DarkroomError: when the model's epoch is another than the record's best one.
    """
    if record.best.number != epoch:
        raise DarkroomError(
            f"{folder} is of a training whose best epoch is {record.best.number}, and the model is of epoch {epoch}: run "
            "`dvc repro train`"
        )
