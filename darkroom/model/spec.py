"""The model spec: everything beside the weights that is needed to use them, readable without torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json, write_json


@dataclass(frozen=True)
class Preprocessing:
    """How the pixels of an image become a network's input; stored with the weights.

    Attributes:
        size: side of the square, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: `crop` cuts the longer side about the middle, `pad` adds black about the middle, `stretch` does neither.
        decoder: what opens files, as in `darkroom.images.decode.decode`.
        mean: for each channel, of values in [0, 1], over the training images.
        std: the standard deviation of the same values.
    """

    size: int
    channels: int
    resize: str
    decoder: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ModelSpec:
    """`model.json`: the network and its settings, the class list, the preprocessing, and where the weights come from.

    Attributes:
        network: its name in the zoo.
        settings: what the network was built with, beside the image's shape and the number of classes.
        weights: what the training started from, as `train.weights` has it; with other than `none` the network keeps the
            first layers that its weights were made for, also for small images.
        classes: the class list; output `i` is class `i`.
        preprocessing: from a decoded image to the array that the network takes.
        epoch: the epoch whose weights were kept, counted from 1.
        precision: `float32` or `bfloat16`, of the training steps; weights are stored in float32.
        seed: of the training.
        data_version: see `darkroom.model.provenance.data_version`.
        code_version: see `darkroom.model.provenance.code_version`, of the train stage.
    """

    network: str
    settings: dict[str, int | float | str]
    weights: str
    classes: ClassList
    preprocessing: Preprocessing
    epoch: int
    precision: str
    seed: int
    data_version: str
    code_version: str

    def save(self, path: Path) -> None:
        write_json(
            path,
            {
                "network": self.network,
                "settings": self.settings,
                "weights": self.weights,
                "classes": self.classes.names,
                "class_hash": self.classes.hash,
                "preprocessing": self.preprocessing.to_dict(),
                "epoch": self.epoch,
                "precision": self.precision,
                "seed": self.seed,
                "data_version": self.data_version,
                "code_version": self.code_version,
            },
        )


def load_spec(path: Path) -> ModelSpec:
    """Read what `ModelSpec.save` wrote.

    Raises:
        DarkroomError: when the class names do not have the hash beside them.
    """
    content = read_json(path)
    classes = ClassList(tuple(content.pop("classes")))
    if content.pop("class_hash") != classes.hash:
        raise DarkroomError(f"{path} was changed by hand: its class names do not have its hash; run `dvc repro train`")
    stored = content.pop("preprocessing")
    preprocessing = Preprocessing(**stored | {"mean": tuple(stored["mean"]), "std": tuple(stored["std"])})
    return ModelSpec(classes=classes, preprocessing=preprocessing, **content)
