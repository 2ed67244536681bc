"""An EfficientNet cut in two: blocks that stay as they are, whose map is computed once, and the upper ones, which learn on."""

from typing import Any

import torch
from torch import Tensor, nn

from darkroom.network.grid import GridPooled, grid_features
from darkroom.network.layer_groups import head
from darkroom.network.load import Normalized
from darkroom.network.zoo import GreyInput

# Of EfficientNet's seven blocks the first that learns on; its map is 14 x 14 for an image of 224 pixels.
FIRST = 4


class UpperBlocks(nn.Module):
    """Logits from the map below the upper blocks; its layers are the model's own.

    Batch normalisation stays in eval mode, as it was when the weights below were made.

    Args:
        model: of one of timm's EfficientNets.
    """

    def __init__(self, model: Normalized) -> None:
        super().__init__()
        self.whole: Any = model.network.network if isinstance(model.network, GreyInput) else model.network
        self.body: Any = self.whole.network if isinstance(self.whole, GridPooled) else self.whole
        self.last = head(model.network)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits [N, K] of maps [N, C, H, W]."""
        logits: Tensor = self.last(self.features(maps))
        return logits

    def features(self, maps: Tensor) -> Tensor:
        """What the last layer is given, float32 [N, F]."""
        given = []
        for block in self.body.blocks[FIRST:]:
            maps = block(maps)
            given.append(maps)
        if isinstance(self.whole, GridPooled):
            return grid_features([each.float() for each in given])
        last = self.body.bn2(self.body.conv_head(maps))
        features: Tensor = self.body.forward_head(last, pre_logits=True).float()
        return features

    def pointwise(self) -> list[Tensor]:
        """The weights of the 1 x 1 convolutions, which hold nearly all that the upper blocks know."""
        parts = [*self.body.blocks[FIRST:], self.body.conv_head]
        return [
            module.weight
            for part in parts
            for module in part.modules()
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
        ]


@torch.no_grad()
def lower_maps(model: Normalized, images: Tensor) -> Tensor:
    """The map [N, C, H, W] that the upper blocks are given for images uint8 [N, S, S, C]; the model is in eval mode."""
    body = UpperBlocks(model).body
    maps = body.bn1(body.conv_stem(model.normalised(images).expand(-1, 3, -1, -1)))
    for block in body.blocks[:FIRST]:
        maps = block(maps)
    found: Tensor = maps
    return found
