"""A network together with its normalisation: uint8 images in, logits out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalized(nn.Module):
    """The form in which a network is trained, evaluated and exported, so that normalisation has one place.

    Args:
        network: from float32 [N, C, H, W] to logits [N, K].
        mean, std: for each channel, of values in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        # In units of the uint8 values: one subtraction and one division for each pixel. Not saved with the weights, since
        # model.json already holds them.
        self.register_buffer("mean", 255 * torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std, dtype=torch.float32), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """Float32 [N, C, H, W] of images uint8 [N, H, W, C]. The permuted batch is channels_last in memory without a copy."""
        return ((images.to(torch.float32) - self.mean) / self.std).permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, K] of images uint8 [N, H, W, C]."""
        logits: Tensor = self.network(self.normalised(images))
        return logits
