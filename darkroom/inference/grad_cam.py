"""Where in its picture a network saw the class: the maps of one layer, weighted by how much the class depends on each.

The layer is found by looking at what the layers give, for any network of the zoo.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from tqdm import tqdm

from darkroom.network.load import Normalized
from darkroom.network.zoo import GreyInput
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s

# Pixels at a time: the whole pass is held for the way back. Twenty pictures of 224 pixels take some 1 GB in
# EfficientNet-Lite0.
BATCH_PIXELS = 2**20
BATCH_IMAGES = 256

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
    """The last layer that gives the picture as a map of at least 3 x 3 cells on which the answer depends.

    Where no map is as large, it is the last of the largest; None where there is none of at least 2 x 2. That the answer
    depends on it shows in the gradient: in a transformer that answers from its class token nothing behind the last
    attention does.

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
    return [layer for layer in used if layer.side >= wanted][-1]


def as_maps(output: Tensor) -> Tensor:
    """What a layer gave, as [N, C, H, W]: channels may be last, and tokens [N, T, C] are laid out as their patches were."""
    if output.dim() == 3:
        pictures, tokens, channels = output.shape
        side = math.isqrt(tokens)
        return output[:, tokens - side**2 :].transpose(1, 2).reshape(pictures, channels, side, side)
    return output if output.shape[2] == output.shape[3] else output.permute(0, 3, 1, 2)


@contextmanager
def caught_outputs(network: nn.Module, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """While the block lasts: what these layers gave in the network's last pass, in the order in which they finished.

    Of a layer that gives several tensors it is the first: of the maps of a network made for several, the largest, which
    the others are made from.
    """
    outputs: dict[str, Tensor] = {}

    def catch_as(name: str) -> torch.utils.hooks.RemovableHandle:
        def catch(_: nn.Module, __: Any, output: Any) -> None:
            while isinstance(output, list | tuple) and output:
                output = output[0]
            outputs.pop(name, None)
            if isinstance(output, Tensor):
                outputs[name] = output

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


def grad_cam(
    model: Normalized,
    layer: str,
    images: UInt8s,
    classes: Int64s,
    device: torch.device,
    by_place: bool = False,
) -> Float32s:
    """Heat maps by Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391).

    The class's logit is differentiated with respect to the layer's maps; the mean of a map's gradient is its weight; the
    weighted sum of the maps, where positive, is the heat. It is enlarged linearly and divided by its largest value.

    Where the head looks at each place by itself, a mean over places mixes what speaks for the class in one and against it in
    another. There each place keeps its own gradient as the weight (HiResCAM: Draelos and Carin 2020,
    https://arxiv.org/abs/2011.08891); behind a mean over the whole map both are the same. Photographs of signs for digits,
    `pooling=grid`: with the hottest 5 to 50% of the pixels taken away a mean probability of 42% was left, by the means 55%.

    Args:
        model: in eval mode.
        layer: of `model.network`, as `find_map_layer` names it.
        images: uint8 [N, S, S, C]; may be memory-mapped.
        classes: int64 [N], the class to explain for each image.
        device: where to compute, in float32 without TF32.
        by_place: whether each place keeps its own gradient.

    Returns:
        float32 [N, S, S] in [0, 1]; all zeros where nothing in the picture speaks for the class.
    """
    side = images.shape[1]
    batch = max(1, min(BATCH_IMAGES, BATCH_PIXELS // side**2))
    heats = np.empty(images.shape[:3], np.float32)
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    bar = tqdm(total=len(images), desc="grad-cam", unit="img", disable=None)
    model.to(device)
    with exact, torch.enable_grad(), bar, caught_outputs(model.network, [layer]) as outputs:
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            pictures = network_input(model, images[part], device)
            # Asked of the input, there is a gradient through frozen layers too.
            logits = model.network(pictures.requires_grad_())
            chosen = logits.gather(1, torch.from_numpy(classes[part, None]).to(device)).sum()
            (gradient,) = torch.autograd.grad(chosen, [outputs[layer]])
            heats[part] = _heat(as_maps(outputs[layer].detach()), as_maps(gradient), side, by_place).cpu().numpy()
            bar.update(len(pictures))
    return heats


def network_input(model: Normalized, images: UInt8s, device: torch.device) -> Tensor:
    """What `model.network` is given for images uint8 [N, S, S, C]: float32 [N, C, S, S], without a gradient."""
    with torch.no_grad():
        return model.normalised(torch.from_numpy(np.array(images)).to(device))


def _heat(maps: Tensor, gradient: Tensor, side: int, by_place: bool) -> Tensor:
    """float32 [N, side, side] of maps and their gradient, [N, C, H, W] each."""
    weights = gradient.float() if by_place else gradient.float().mean((2, 3), keepdim=True)
    heat = nn.functional.relu((weights * maps.float()).sum(1, keepdim=True))
    heat = interpolate(heat, (side, side), mode="bilinear", align_corners=False).squeeze(1)
    return heat / heat.amax((1, 2), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
