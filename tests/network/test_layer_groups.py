"""A network falls into layer groups from the input to the head, each parameter in one of them."""

import pytest
import torch
from torch import Tensor, nn

from darkroom.network.layer_groups import head, layer_groups
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError

SETTINGS = {"filters": 8, "depth": 2, "dropout": 0.1}


@pytest.mark.parametrize(
    ("name", "first", "count", "features"),
    [
        ("simple_cnn", "features.0", 5, 16),
        ("small_image_net", "whitening", 5, 32),
        ("capsule_net", "features.0", 8, 16 * 4 * 4 * 8),
        ("resnet18", "network.conv1", 6, 512),
        ("vgg16", "network.features.0", 16, 512),
        ("mobilenet_v3_small", "network.features.0", 15, 1024),
        ("efficientnet_b0", "network.features.0", 10, 1280),
        ("convnext_tiny", "network.features.0", 9, 768),
        ("densenet121", "network.features.conv0", 9, 1024),
        ("vit_b_16", "network.conv_proj", 14, 768),
        ("timm/tf_efficientnet_lite0", "network.conv_stem", 10, 1280),
        ("timm/vit_tiny_patch16_224", "network.patch_embed", 14, 192),
        ("timm/convnext_atto", "network.stem", 6, 320),
    ],
)
def test_layer_groups_of_each_family(name: str, first: str, count: int, features: int) -> None:
    with torch.device("meta"):
        network = build_network(name, SETTINGS, 10, 1, 32)
    found = layer_groups(network)
    assert (found[0].name, len(found)) == (first, count)
    listed = [parameter for group in found for parameter in group.parameters]
    assert sorted(listed) == sorted(name for name, _ in network.named_parameters())
    assert all(group.parameters for group in found)
    inside = [module for group in found for module in group.modules]
    assert len(inside) == len(set(inside))
    # Whatever keeps running statistics is in a group, so that they stay where the group is frozen.
    keeping = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert keeping <= set(inside)

    met: list[tuple[int, ...]] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        met.append(tuple(inputs[0].shape))

    head(network).register_forward_pre_hook(look)
    with torch.no_grad():
        network.eval()(torch.empty(2, 1, 32, 32, device="meta"))
    assert met == [(2, features)]
    ours = {f"{found[-1].name}.{name}" for name, _ in head(network).named_parameters()}
    assert ours == set(found[-1].parameters)


def test_a_network_with_two_heads_says_so() -> None:
    with torch.device("meta"):
        network = build_network("timm/deit_tiny_distilled_patch16_224", {}, 10, 3, 32)
    with pytest.raises(DarkroomError, match="no single last layer"):
        layer_groups(network)
