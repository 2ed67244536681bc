"""Networks by name, made for an image's shape and a number of classes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.network.capsule_net import CapsuleNet
from darkroom.network.cnn import SimpleCNN, SmallImageNet
from darkroom.network.grid import GridPooled
from darkroom.network.stems import (
    LARGEST_SMALL_SIDE,
    fit_patches,
    fit_strides,
    fit_vgg,
    patch_side,
    surplus_halvings,
)
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import CAPSULE_NET, SIMPLE_CNN, SMALL_IMAGE_NET, unknown_network

# What torch, torchvision and timm raise for images of a size that a network does not take.
REFUSALS = (RuntimeError, ValueError, AssertionError)

# What one setting of a network may be.
Setting = int | float | str

# Sides to look at when a network does not take the one that was asked for; 299 is what inception_v3 was made for.
USUAL_SIDES = (32, 64, 96, 128, 224, 256, 299)

# timm's families of transformers that take a side for their patches; in the second kind the patches are halved further.
_PATCHES = ("beit", "cait", "convit", "deit", "eva", "vision_transformer", "vision_transformer_relpos")
_HALVED_PATCHES = ("swin_transformer", "swin_transformer_v2", "swin_transformer_v2_cr")


def build_network(
    name: str,
    settings: Mapping[str, Setting],
    classes: int,
    channels: int,
    size: int,
    pretrained: bool = False,
) -> nn.Module:
    """A freshly initialised network in float32.

    Args:
        name: see `darkroom.settings.networks.NETWORKS`.
        settings: what `own_settings` of the same module names: `filters`, `depth` and `dropout` for `simple_cnn`, `filters`
            and `dropout` for `small_image_net`, `pooling` (`mean` or `grid`) for timm's, nothing for the others.
        classes: how many logits come out.
        channels: 1 or 3, of the images.
        size: side of the images, in pixels.
        pretrained: whether published weights will be loaded. The network then has the layers that the weights were made
            with; else torchvision's and timm's get first layers that fit images of up to 64 pixels (`darkroom.network.stems`).

    Returns:
        A module from float32 [N, channels, size, size] to logits float32 [N, classes].

    Raises:
        DarkroomError: when there is no such network, or when it does not take images of this size, with one it takes.
    """
    if problem := unknown_network(name):
        raise DarkroomError(f"train.network: {problem}")
    try:
        network = _construct(name, settings, classes, channels, size, pretrained)
        _run(network, channels, size)
        return network
    except REFUSALS as error:
        others = [side for side in USUAL_SIDES if side != size]
        taken = (side for side in others if _takes(name, settings, classes, channels, side, pretrained))
        side = next(taken, None)
        remedy = f"preprocess.size={side} works" if side else "no usual size works: take another network"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DarkroomError(f"{name} does not take images of {size} x {size} pixels ({reason}); {remedy}") from None


def _construct(
    name: str, settings: Mapping[str, Setting], classes: int, channels: int, size: int, pretrained: bool
) -> nn.Module:
    if name == SIMPLE_CNN:
        return SimpleCNN(
            classes, channels, int(settings["filters"]), int(settings["depth"]), float(settings["dropout"])
        )
    if name == SMALL_IMAGE_NET:
        return SmallImageNet(classes, channels, int(settings["filters"]), float(settings["dropout"]))
    if name == CAPSULE_NET:
        return CapsuleNet(classes, channels, size)
    small = size <= LARGEST_SMALL_SIDE and not pretrained
    network = _colour_network(name, settings, classes, size, small)
    return network if channels == 3 else GreyInput(network)


def _colour_network(name: str, settings: Mapping[str, Setting], classes: int, size: int, small: bool) -> nn.Module:
    if not name.startswith("timm/"):
        return _from_torchvision(name, classes, size, small)
    if settings.get("pooling") == "grid":
        return GridPooled(name.removeprefix("timm/"), classes)
    return _from_timm(name.removeprefix("timm/"), classes, size, small)


def _from_torchvision(name: str, classes: int, size: int, small: bool) -> nn.Module:
    from darkroom.runtime.vision import torchvision

    arguments: dict[str, Any] = {"weights": None, "num_classes": classes}
    if name.startswith("vit_"):
        published = int(name.rpartition("_")[2])
        arguments["image_size"] = size // patch_side(size) * published if small else size
    elif name == "maxvit_t":
        arguments["input_size"] = (size, size)
    elif name in ("googlenet", "inception_v3"):
        # Their auxiliary heads are for training alone and need pictures of 224 pixels and more.
        arguments |= {"aux_logits": False, "init_weights": True}
    network: nn.Module = torchvision.models.get_model(name, **arguments)
    if small and name.startswith("vit_"):
        fit_patches(network, size)
    elif small and name.startswith("vgg"):
        fit_vgg(network, classes)
    elif small and name not in ("inception_v3", "maxvit_t"):
        # Swin merges patches in a layer without a stride, which no search for strides finds.
        fit_strides(network, size, reduction=32 if name.startswith("swin") else None)
    return network


def _from_timm(name: str, classes: int, size: int, small: bool) -> nn.Module:
    from darkroom.runtime.vision import load_timm

    timm = load_timm()
    family = timm.models.model_entrypoint(name).__module__.rpartition(".")[2]
    published = timm.models.get_pretrained_cfg(name)
    fixed = published is not None and published.fixed_input_size
    arguments: dict[str, Any] = {"num_classes": classes}
    if fixed:
        arguments["img_size"] = size
    if small and family in _PATCHES:
        arguments["patch_size"] = patch_side(size)
    elif small and family in _HALVED_PATCHES:
        arguments["patch_size"] = max(1, 4 // 2 ** surplus_halvings(size, 32))
    network: nn.Module = timm.create_model(name, **arguments)
    if small and not fixed:
        fit_strides(network, size)
    return network


class GreyInput(nn.Module):
    """A network for colour that is given grey: the one channel stands for all three."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of images [N, 1, H, W]."""
        logits: Tensor = self.network(images.expand(-1, 3, -1, -1))
        return logits


def _takes(
    name: str, settings: Mapping[str, Setting], classes: int, channels: int, size: int, pretrained: bool
) -> bool:
    """Whether a network can be built for, and run on, images of this size."""
    # RegNets compute their widths with tensors while they are built, and need real ones for that.
    try:
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = _construct(name, settings, classes, channels, size, pretrained)
        _run(network, channels, size)
    except REFUSALS:
        return False
    return True


def _run(network: nn.Module, channels: int, size: int) -> None:
    """Run a network on black pictures. What it raises is among `REFUSALS`, where it does not take pictures of this size; it
    stays as it is.

    With weights, this takes 0.1 s for EfficientNet-Lite0 at 224 pixels; on the meta device, where shapes alone are computed, it
    took 1.5 s, most of it to load what computes them.
    """
    training, device = network.training, next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(2, channels, size, size, device=device))
    network.train(training)
