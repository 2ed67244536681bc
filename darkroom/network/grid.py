"""Pooling of the maps of timm's networks over a grid of cells, for heads on frozen backbones."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, layer_norm

# What timm's networks may give their last layer: the mean over the picture, or a grid of means.
POOLINGS = ("mean", "grid")

# Cells along a side of the grid. Sign-digits, heads on frozen EfficientNet-Lite0: docs/decisions/2026-11-28-heads.md.
CELLS = 4


class GridPooled(nn.Module):
    """Two maps of one of timm's networks, each averaged over 4 x 4 cells and normalised, and one linear layer.

    The mean over the whole picture, which networks for ImageNet end with, forgets where an edge was; for frozen weights and
    pictures unlike ImageNet's that is what distinguishes classes. 2,062 photographs of signs for digits, heads on frozen
    EfficientNet-Lite0 at 224 pixels in five-fold cross-validation: 93% with the network's own mean, 98.6% with this. The maps
    are the last one of the second smallest resolution, and the first of the smallest; what lies behind them is not built.
    Normalisation over the values of each picture has nothing to learn and nothing to remember.

    Args:
        body: a name of timm's, or such a network, whose layers behind the maps are then removed.
        classes: how many logits come out.
    """

    def __init__(self, body: str | nn.Module, classes: int) -> None:
        super().__init__()
        from darkroom.runtime.vision import load_timm

        network: Any = load_timm().create_model(body) if isinstance(body, str) else body
        self._taken, channels = grid_maps(network)
        network.prune_intermediate_layers(prune_norm=True, **self._taken)
        self.network: nn.Module = network
        self.head = nn.Linear(sum(channels) * CELLS**2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of normalised images [N, 3, H, W]."""
        network: Any = self.network
        maps = network.forward_intermediates(images, stop_early=True, intermediates_only=True, **self._taken)
        logits: Tensor = self.head(grid_features(maps))
        return logits


def grid_maps(network: Any) -> tuple[dict[str, Any], list[int]]:
    """Which maps of one of timm's networks a grid is made of: arguments of its `forward_intermediates`, and their channels.

    Raises:
        RuntimeError: when the network has no such maps.
    """
    if not hasattr(network, "forward_intermediates"):
        raise RuntimeError("timm gives no maps of it, so train.pooling must be mean")
    if "extra_blocks" in inspect.signature(network.forward_intermediates).parameters:
        # EfficientNets and MobileNets have several stages of one resolution, which timm counts from 1 here.
        last = network.feature_info[-2]["stage"]
        stages = [last, last + 1]
        channels = [network.blocks[stage - 1][-1].feature_info("bottleneck")["num_chs"] for stage in stages]
        return {"indices": stages, "extra_blocks": True}, channels
    return {"indices": [len(network.feature_info) - 2, len(network.feature_info) - 1]}, [
        each["num_chs"] for each in network.feature_info[-2:]
    ]


def grid_features(maps: Sequence[Tensor]) -> Tensor:
    """Maps [N, C, H, W] averaged over 4 x 4 cells, each normalised over its own values, float [N, F]."""
    cells = [_cells(each).flatten(1) for each in maps]
    return torch.cat([layer_norm(each, each.shape[1:]) for each in cells], 1)


def _cells(maps: Tensor) -> Tensor:
    """Means over 4 x 4 cells as a plain average pooling, which every format has; adaptive pooling is exported as gathers.

    Cells overlap by a pixel, or reach over the edge, where the side is no multiple of four.
    """
    side = maps.shape[2]
    stride = -(-side // CELLS)
    width = stride + (stride * CELLS - side) % 2
    padding = (stride * (CELLS - 1) + width - side) // 2
    if 2 * padding > width:
        return adaptive_avg_pool2d(maps, CELLS)
    return avg_pool2d(maps, width, stride, padding, count_include_pad=False)
