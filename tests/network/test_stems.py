"""Small pictures get first layers that fit them; large ones, and published weights, those of the publication."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from darkroom.inference.device import convolution_with_wrong_gradients
from darkroom.network.load import Normalized
from darkroom.network.stems import LAST_SIDE, patch_side, surplus_halvings
from darkroom.network.zoo import build_network


def sides(network: nn.Module, size: int) -> list[int]:
    """The sides of the maps that the convolutions make, in order, for a network and pictures on the meta device."""
    found: list[int] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(output.shape[3])

    for layer in network.modules():
        # Squeeze-and-excitation works on the means of whole maps.
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(look)
    with torch.no_grad():
        network.eval()(torch.empty(2, 3, size, size, device="meta"))
    return [side for side in found if side > 1]


@pytest.mark.parametrize("size", [8, 28, 32, 48, 64])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "timm/resnet18d", "timm/tf_efficientnet_lite0"])
def test_four_pixels_or_a_little_more_are_left(name: str, size: int) -> None:
    with torch.device("meta"):
        network = build_network(name, {}, 10, 3, size)
    assert LAST_SIDE <= min(sides(network, size)) < 2 * LAST_SIDE


def test_a_resnet_begins_as_those_for_cifar_do() -> None:
    with torch.device("meta"):
        small: Any = build_network("resnet18", {}, 10, 3, 32)
        published: Any = build_network("resnet18", {}, 10, 3, 32, pretrained=True)
        large: Any = build_network("resnet18", {}, 10, 3, 96)
    assert (small.conv1.kernel_size, small.conv1.stride) == ((3, 3), (1, 1))
    assert isinstance(small.maxpool, nn.Identity)
    for network in (published, large):
        assert (network.conv1.kernel_size, network.conv1.stride) == ((7, 7), (2, 2))
    # Only the first layer has other weights.
    shapes = [{name: weight.shape for name, weight in network.named_parameters()} for network in (small, published)]
    assert [name for name in shapes[0] if shapes[0][name] != shapes[1][name]] == ["conv1.weight"]


def test_small_pictures_meet_no_padding_wider_than_they_are() -> None:
    image = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    for name in ("resnet18", "mobilenet_v3_small", "vgg11"):
        network = build_network(name, {}, 10, 3, 8)
        assert convolution_with_wrong_gradients(Normalized(network, [0.5] * 3, [0.5] * 3), image) is None


def test_transformers_see_some_eight_patches_a_side() -> None:
    with torch.device("meta"):
        small: Any = build_network("vit_b_16", {}, 10, 3, 28)
        published: Any = build_network("vit_b_16", {}, 10, 3, 32, pretrained=True)
        network: Any = build_network("timm/vit_tiny_patch16_224", {}, 10, 3, 32)
    assert (small.conv_proj.kernel_size, published.conv_proj.kernel_size) == ((4, 4), (16, 16))
    assert network.patch_embed.proj.kernel_size == (4, 4) and network.pos_embed.shape[1] == 65


@given(st.integers(8, 64))
def test_patches_divide_the_picture(size: int) -> None:
    side = patch_side(size)
    assert size % side == 0
    others = [other for other in range(1, size + 1) if size % other == 0]
    assert abs(math.log(8 * side / size)) <= min(abs(math.log(8 * other / size)) for other in others) + 1e-9


@given(st.integers(8, 1024), st.sampled_from([4, 8, 16, 32, 64]))
def test_no_more_halvings_are_taken_out_than_needed(size: int, reduction: int) -> None:
    surplus = surplus_halvings(size, reduction)
    assert 0 <= surplus <= math.log2(reduction)
    left = size * 2**surplus / reduction
    assert left >= 0.75 * LAST_SIDE or surplus == math.log2(reduction)
    assert surplus == 0 or left < 2 * LAST_SIDE
