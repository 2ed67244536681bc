"""The layer of a network whose maps its heat maps are made from, found by looking at what the layers give."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.network.zoo import GreyInput

# Coarse, but the last map is the honest one. On 300 validation images of Fashion-MNIST, with the hottest 5 to 50% of the pixels
# taken away, small_image_net kept a mean probability of 49% where the heat came from its last map (3 cells a side), 68% from
# the map before (6), 64% from the first (13), and 61% where the pixels were chosen at random: with earlier maps the mean of a
# gradient says nothing of a place. LayerCAM and HiResCAM on them came to 53 to 72%; occlusion, with 65 answers a picture,
# to 41%.
LEAST_SIDE = 3

# Transformers put at most this many tokens (class, distillation, registers) before those of the patches.
MOST_PREFIX = 8

# What holds a network's stages, whose children give the picture as it is between two stages.
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class MapLayer:
    """A layer that gives maps: its name as in `network.named_modules()`, and the side of its maps."""

    name: str
    side: int


def find_map_layer(network: nn.Module, pictures: Tensor) -> MapLayer | None:
    """The last layer that gives the picture as a map of at least 3 x 3 cells through which all goes that the answer depends on.

    A head that looks at two maps, one made from the other, depends on the first in two ways: it is that one. Where there is no
    such layer, it is the last on which the answer depends. Where no map is as large, it is the last of the largest; None where
    there is none of at least 2 x 2. That the answer depends on it shows in the gradient: in a transformer that answers from its
    class token nothing behind the last attention does.

    Args:
        network: in eval mode, gives logits [N, K].
        pictures: two or more to try with, float32 [N, C, S, S].
    """
    with torch.enable_grad(), caught_outputs(network, _places(network)) as outputs:
        best = network(pictures.requires_grad_()).amax(1).sum()
        found = [(name, output) for name, output in outputs.items() if _is_map(output, len(pictures))]
        if not found:
            return None
        gradients = torch.autograd.grad(best, [output for _, output in found], allow_unused=True)
    used = [
        MapLayer(name, as_maps(output).shape[2])
        for (name, output), gradient in zip(found, gradients, strict=True)
        if gradient is not None and bool(as_maps(gradient).any())
    ]
    if not used:
        return None
    wanted = min(LEAST_SIDE, max(layer.side for layer in used))
    large = [layer for layer in reversed(used) if layer.side >= wanted]
    return next((layer for layer in large if _carries_all(network, layer.name, pictures)), large[0])


def _carries_all(network: nn.Module, layer: str, pictures: Tensor) -> bool:
    """Whether the answer depends on nothing that does not go through a layer."""
    with torch.enable_grad(), caught_outputs(network, [layer], cut=True):
        best = network(pictures.requires_grad_()).amax(1).sum()
        (past,) = torch.autograd.grad(best, [pictures], allow_unused=True)
    return past is None or not bool(past.any())


def as_maps(output: Tensor) -> Tensor:
    """What a layer gave, as [N, C, H, W]: channels may be last, and tokens [N, T, C] are laid out as their patches were."""
    if output.dim() == 3:
        pictures, tokens, channels = output.shape
        side = math.isqrt(tokens)
        return output[:, tokens - side**2 :].transpose(1, 2).reshape(pictures, channels, side, side)
    return output if output.shape[2] == output.shape[3] else output.permute(0, 3, 1, 2)


@contextmanager
def caught_outputs(network: nn.Module, names: list[str], cut: bool = False) -> Iterator[dict[str, Tensor]]:
    """While the block lasts: what these layers gave in the network's last pass, in the order in which they finished.

    A layer that gives several tensors is left out.

    Args:
        network: in eval mode.
        names: of layers.
        cut: a gradient with respect to what these layers gave ends there, and nothing before them is held for it.
    """
    outputs: dict[str, Tensor] = {}

    def catch_as(name: str) -> torch.utils.hooks.RemovableHandle:
        def catch(_: nn.Module, __: Any, output: Any) -> Tensor | None:
            outputs.pop(name, None)
            if not isinstance(output, Tensor):
                return None
            # A copy: what comes next may overwrite it, which autograd allows to none of its leaves.
            outputs[name] = output.detach().requires_grad_().clone() if cut else output
            return outputs[name] if cut else None

        return network.get_submodule(name).register_forward_hook(catch)

    handles = [catch_as(name) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _places(network: nn.Module) -> list[str]:
    """The names of the layers to look at: a network's own children, and those of what holds its stages and their blocks.

    Not what is within a block: a branch does not hold the whole picture, and a tensor of four dimensions need not be maps: an
    attention's are heads, tokens and values.
    """
    names: list[str] = []
    whole = (network, network.network) if isinstance(network, GreyInput) else (network,)

    def look(module: nn.Module, name: str) -> None:
        container = isinstance(module, _CONTAINERS)
        for own, child in module.named_children():
            place = f"{name}.{own}".lstrip(".")
            if container or module in whole:
                names.append(place)
            if not container or isinstance(child, _CONTAINERS):
                look(child, place)

    look(network, "")
    return names


def _is_map(output: Tensor, pictures: int) -> bool:
    if not output.is_floating_point() or len(output) != pictures:
        return False
    if output.dim() == 3:
        side = math.isqrt(output.shape[1])
        return side >= 2 and output.shape[1] - side**2 <= MOST_PREFIX
    squares = (output.shape[2:4], output.shape[1:3]) if output.dim() == 4 else ()
    return any(height == width >= 2 for height, width in squares)
