"""First layers that fit small pictures: a network made for 224 pixels begins by dividing the picture by four and more.

For 32 pixels that leaves one pixel at the end. So here the first halvings are taken out until the last map is four pixels
wide, as the ResNets for CIFAR have it (He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

# Larger pictures go through a network as it was published.
LARGEST_SMALL_SIDE = 64

# Side of the last map: with 32 pixels, what a ResNet for CIFAR nearly has, and what keeps every padding inside the picture.
LAST_SIDE = 4

# Transformers: patches along a side.
PATCHES = 8

# Where the halvings are looked for: every map of a network that divides by 32 has a side of its own.
_TRACED_SIDE = 64


def patch_side(size: int) -> int:
    """The side of a patch for a picture of `size` pixels: the divisor of `size` that comes nearest to an eighth of it."""
    divisors = [side for side in range(1, size + 1) if size % side == 0]
    return min(divisors, key=lambda side: abs(math.log(side * PATCHES / size)))


def surplus_halvings(size: int, reduction: int) -> int:
    """How many halvings to take out of a network that divides a side by `reduction`, so that `LAST_SIDE` pixels are left."""
    return max(0, min(round(math.log2(reduction)), math.ceil(math.log2(LAST_SIDE * reduction / size) - 0.25)))


def fit_strides(network: nn.Module, size: int, reduction: int | None = None) -> None:
    """Take the first halvings out of a convolutional network, in place; freshly initialised networks alone.

    Strided convolutions get stride 1, and a first one of 7 x 7 and more becomes 3 x 3; pooling layers become the identity.
    Layers side by side (a residual branch and its shortcut) meet maps of the same side, and so are changed together. A
    network whose halvings are not all layers of these kinds stays as it is.

    Args:
        network: takes float32 [N, 3, 64, 64].
        size: side of the pictures it is for, in pixels.
        reduction: what it divides a side by; by default, what its layers with a stride show.
    """
    strided = _strided(network)
    if not strided:
        return
    reduction = reduction or _TRACED_SIDE // min(after for _, after in strided.values())
    surplus = surplus_halvings(size, reduction)
    for name, (before, after) in strided.items():
        level = round(math.log2(_TRACED_SIDE / before))
        undone = min(surplus - level, round(math.log2(before / after)))
        if undone > 0:
            parent, _, own = name.rpartition(".")
            layer = network.get_submodule(name)
            setattr(network.get_submodule(parent), own, _slower(layer, undone, first=level == 0))


def _strided(network: nn.Module) -> dict[str, tuple[int, int]]:
    """The layers that make maps smaller, with the sides before and after, in the order in which they are met."""
    found: dict[str, tuple[int, int]] = {}

    def look_for(name: str) -> None:
        def look(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if inputs[0].dim() == 4 and inputs[0].shape[3] > output.shape[3] and max(_pair(layer.stride)) > 1:
                found[name] = (inputs[0].shape[3], output.shape[3])

        handles.append(network.get_submodule(name).register_forward_hook(look))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name, layer in network.named_modules():
        if hasattr(layer, "stride") and not list(layer.children()):
            look_for(name)
    device = next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(2, 3, _TRACED_SIDE, _TRACED_SIDE, device=device))
    network.train()
    for handle in handles:
        handle.remove()
    return found


def _slower(layer: nn.Module, halvings: int, first: bool) -> nn.Module:
    """A layer that halves so many times less."""
    if not isinstance(layer, nn.Conv2d):
        return nn.Identity()
    kernel, stride = layer.kernel_size[0], max(1, layer.stride[0] // 2**halvings)
    patches = kernel == layer.stride[0]
    if not (patches or (first and kernel >= 7)):
        layer.stride = (stride, stride)
        return layer
    # Patches that no longer cut the picture apart look at their neighbours instead.
    side = stride if patches and stride > 1 else 3
    fresh = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        side,
        stride,
        padding=0 if side == stride else 1,
        groups=layer.groups,
        bias=layer.bias is not None,
        device=layer.weight.device,
    )
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
    if fresh.bias is not None:
        nn.init.zeros_(fresh.bias)
    return fresh


def fit_vgg(network: nn.Module, classes: int) -> None:
    """For torchvision's VGG, in place: one feature vector a picture, instead of the same one 49 times.

    The five halvings stay, rounded up, so that 28 pixels end as one and not as none. Of the head's 124 million weights
    0.5 million are left, as in the VGGs for CIFAR.
    """
    for layer in network.modules():
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = True
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    width = 512
    network.classifier = nn.Sequential(
        nn.Linear(width, width), nn.ReLU(), nn.Dropout(), nn.Linear(width, width), nn.ReLU(), nn.Dropout(),
        nn.Linear(width, classes),
    )  # fmt: skip


def fit_patches(network: nn.Module, size: int) -> None:
    """For a Vision Transformer of torchvision that was built with `PATCHES` or so patches a side: make them small, in place."""
    side = patch_side(size)
    old = network.conv_proj
    assert isinstance(old, nn.Conv2d)
    fresh = nn.Conv2d(3, old.out_channels, side, side, device=old.weight.device)
    # As torchvision initialises it.
    nn.init.trunc_normal_(fresh.weight, std=math.sqrt(1 / (3 * side * side)))
    assert fresh.bias is not None
    nn.init.zeros_(fresh.bias)
    network.conv_proj = fresh
    for name, value in (("image_size", size), ("patch_size", side)):
        setattr(network, name, value)
