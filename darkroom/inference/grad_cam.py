"""Where in its picture a network saw the class: the maps of one layer, weighted by how much the class depends on each."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from tqdm import tqdm

from darkroom.inference.device import side_by_side
from darkroom.inference.map_layer import as_maps, caught_outputs
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s

# Pixels at a time, as in `darkroom.inference.logits`.
BATCH_PIXELS = 2**18
BATCH_IMAGES = 256
# The smallest divisor.
TINY = torch.finfo(torch.float32).tiny


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
    model.to(device)

    def work(starts: Sequence[int]) -> None:
        # Of its own: what a layer gave is caught by the network that it belongs to.
        own = copy.deepcopy(model).requires_grad_(False)
        # Nothing is held of the layers before the maps: without their way back, 200 photographs in EfficientNet-Lite0 take a
        # quarter of the time, and 3 GB less.
        with torch.enable_grad(), caught_outputs(own.network, [layer], cut=True) as outputs:
            for start in starts:
                part = slice(start, start + batch)
                answers = own.network(network_input(own, images[part], device))
                chosen = answers.gather(1, torch.from_numpy(classes[part, None]).to(device)).sum()
                (gradient,) = torch.autograd.grad(chosen, [outputs[layer]])
                heat = _heat(as_maps(outputs[layer].detach()), as_maps(gradient), side, by_place)
                if model.mirror:
                    of_images, of_mirrored = heat.chunk(2)
                    heat = of_images + of_mirrored.flip(2)
                heats[part] = (heat / heat.amax((1, 2), keepdim=True).clamp_min(TINY)).cpu().numpy()
                bar.update(len(heat))

    with exact, tqdm(total=len(images), desc="grad-cam", unit="img", disable=None) as bar:
        side_by_side(work, range(0, len(images), batch), device)
    return heats


def network_input(model: Normalized, images: UInt8s, device: torch.device) -> Tensor:
    """What `model.network` is given for images uint8 [N, S, S, C], as `Normalized.normalised` has it, without a gradient."""
    with torch.no_grad():
        return model.normalised(torch.from_numpy(np.array(images)).to(device))


def _heat(maps: Tensor, gradient: Tensor, side: int, by_place: bool) -> Tensor:
    """float32 [N, side, side] of maps and their gradient, [N, C, H, W] each."""
    weights = gradient.float() if by_place else gradient.float().mean((2, 3), keepdim=True)
    heat = nn.functional.relu((weights * maps.float()).sum(1, keepdim=True))
    return interpolate(heat, (side, side), mode="bilinear", align_corners=False).squeeze(1)
