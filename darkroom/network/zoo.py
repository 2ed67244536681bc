"""Networks by name, made for an image's shape and a number of classes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.errors import DarkroomError
from darkroom.network.names import SIMPLE_CNN, unknown_network
from darkroom.network.simple_cnn import SimpleCNN

# Sides to look at when a network does not take the one that was asked for; 299 is what inception_v3 was made for.
USUAL_SIDES = (32, 64, 96, 128, 224, 256, 299)


def build_network(name: str, settings: Mapping[str, int | float], classes: int, channels: int, size: int) -> nn.Module:
    """A freshly initialised network in float32.

    Args:
        name: `simple_cnn` or a torchvision classification network.
        settings: `filters`, `depth` and `dropout` for `simple_cnn`; nothing for the others.
        classes: how many logits come out.
        channels: 1 or 3, of the images.
        size: side of the images, in pixels.

    Returns:
        A module from float32 [N, channels, size, size] to logits float32 [N, classes].

    Raises:
        DarkroomError: when there is no such network, or when it does not take images of this size, with one it takes.
    """
    if problem := unknown_network(name):
        raise DarkroomError(f"train.network: {problem}")
    failure = _refusal(name, settings, classes, channels, size)
    if failure is not None:
        others = [side for side in USUAL_SIDES if side != size]
        taken = next((side for side in others if _refusal(name, settings, classes, channels, side) is None), None)
        remedy = f"preprocess.size={taken} works" if taken else "no usual size works: take another network"
        raise DarkroomError(f"{name} does not take images of {size} x {size} pixels ({failure}); {remedy}")
    return _construct(name, settings, classes, channels, size)


def _construct(name: str, settings: Mapping[str, int | float], classes: int, channels: int, size: int) -> nn.Module:
    if name == SIMPLE_CNN:
        return SimpleCNN(
            classes, channels, int(settings["filters"]), int(settings["depth"]), float(settings["dropout"])
        )
    from darkroom.network.vision import torchvision

    arguments: dict[str, Any] = {"weights": None, "num_classes": classes}
    if name.startswith("vit_"):
        arguments["image_size"] = size
    elif name == "maxvit_t":
        arguments["input_size"] = (size, size)
    elif name in ("googlenet", "inception_v3"):
        # Their auxiliary heads answer in training alone and need pictures of 224 pixels and more.
        arguments |= {"aux_logits": False, "init_weights": True}
    network: nn.Module = torchvision.models.get_model(name, **arguments)
    return network if channels == 3 else GreyInput(network)


class GreyInput(nn.Module):
    """A network for colour that is given grey: the one channel stands for all three."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of images [N, 1, H, W]."""
        logits: Tensor = self.network(images.expand(-1, 3, -1, -1))
        return logits


def _refusal(name: str, settings: Mapping[str, int | float], classes: int, channels: int, size: int) -> str | None:
    """Why a network can't be built for, or run on, images of this size; None when it can.

    Tried on the meta device, which computes shapes alone: milliseconds, also for networks of hundreds of megabytes.
    """
    # RegNets compute their widths with tensors while they are built, and need real ones for that.
    built_on = "cpu" if name.startswith("regnet") else "meta"
    try:
        with torch.device(built_on):
            network = _construct(name, settings, classes, channels, size).eval()
        with torch.no_grad():
            network.to("meta")(torch.empty(2, channels, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None
