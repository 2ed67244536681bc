"""Folded networks: the same answers, without batch normalisations."""

import torch
from torch import nn

from darkroom.network.folding import fold_batch_norms
from darkroom.network.zoo import build_network


def spread(network: nn.Module) -> nn.Module:
    """With statistics as training leaves them, in eval mode."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) / 10
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@torch.no_grad()
def test_a_folded_network_gives_the_same_and_the_first_one_stays() -> None:
    torch.manual_seed(0)
    network = spread(build_network("timm/tf_efficientnet_lite0", {"pooling": "grid"}, 5, 3, 64, pretrained=True))
    images = torch.randn(3, 3, 64, 64)
    before, had = network(images), norms(network)
    folded = fold_batch_norms(network, images[:1])
    assert norms(folded) == 0 and norms(network) == had > 0
    torch.testing.assert_close(folded(images), before, rtol=1e-4, atol=1e-4)


class Shortcut(nn.Module):
    """The convolution's own output goes on beside its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.conv(images)
        total: torch.Tensor = maps + self.norm(maps)
        return total


@torch.no_grad()
def test_a_network_that_folding_would_change_stays_as_it_is() -> None:
    torch.manual_seed(0)
    network, images = spread(Shortcut()), torch.randn(2, 3, 8, 8)
    folded = fold_batch_norms(network, images[:1])
    assert norms(folded) == 1
    torch.testing.assert_close(folded(images), network(images))
