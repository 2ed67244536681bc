"""The model spec: everything beside the weights that is needed to use them, readable without torch."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from darkroom.model.classes import StoredClasses
from darkroom.model.depth import Depth
from darkroom.runtime.checked_json import STRICT, one_of, read_checked
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json

# Side of an image, in pixels: the largest that `preprocess.size` takes.
LARGEST = 1024


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
        depth: which values become black and white in files that hold other than 8 bits a value; None where the data set has
            no such file.
    """

    __pydantic_config__ = STRICT

    size: Annotated[int, Field(ge=1, le=LARGEST)]
    channels: Annotated[int, one_of(1, 3)]
    resize: Annotated[str, one_of("crop", "pad", "stretch")]
    decoder: Annotated[str, one_of("turbo", "opencv", "pillow")]
    mean: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    std: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    depth: Depth | None = None

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(
                f"have as many means and deviations as channels, not {len(self.mean)} and {len(self.std)} for {self.channels}"
            )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; without the depth where there is none."""
        content = {name: value for name, value in asdict(self).items() if name != "depth"}
        return content | ({"depth": self.depth.to_dict()} if self.depth else {})


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
        mirror: whether answers are the mean over an image and its mirror image.
    """

    __pydantic_config__ = STRICT

    network: str
    settings: dict[str, int | float | str]
    weights: str
    classes: StoredClasses
    preprocessing: Preprocessing
    epoch: Annotated[int, Field(ge=0)]
    precision: str
    seed: Annotated[int, Field(ge=0)]
    data_version: str
    code_version: str
    mirror: bool = False

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
                "mirror": self.mirror,
            },
        )


@dataclass(frozen=True)
class _Stored(ModelSpec):
    """`model.json`."""

    class_hash: str = field(kw_only=True)


def load_spec(path: Path, remedy: str = "run `dvc repro train`") -> ModelSpec:
    """Read what `ModelSpec.save` wrote.

    Args:
        path: the file.
        remedy: what the user can do about a damaged one, for the message.

    Raises:
        FileNotFoundError: when there is no such file.
        DarkroomError: when it is damaged, a value is out of its range, a key is unknown, or the class names do not have the
            hash beside them.
    """
    stored = read_checked(path, _Stored, remedy)
    if stored.class_hash != stored.classes.hash:
        raise DarkroomError(f"{path} was changed by hand: its class names do not have its hash; {remedy}")
    return ModelSpec(**{each.name: getattr(stored, each.name) for each in fields(ModelSpec)})
