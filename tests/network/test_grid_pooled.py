"""A linear layer over a grid of maps: it sees where something is, and is frozen and filled as other networks are."""

import torch

from darkroom.network.grid_pooled import GridPooled
from darkroom.network.layer_groups import head, parts
from darkroom.network.packaged import LITE0
from darkroom.network.pretrained import load_pretrained
from darkroom.network.zoo import build_network


def test_parts_end_with_the_linear_layer() -> None:
    network = GridPooled("tf_efficientnet_lite0", 4).eval()
    assert head(network) is network.head and len(parts(network)) > 3
    pictures = torch.zeros(2, 3, 96, 96)
    pictures[0, :, :32, :32] = pictures[1, :, 64:, 64:] = 1
    with torch.no_grad():
        answers = network(pictures)
    assert answers.shape == (2, 4) and not torch.allclose(answers[0], answers[1], atol=1e-4)


def test_published_weights_fill_the_body() -> None:
    network, whole = GridPooled("tf_efficientnet_lite0", 4), build_network(LITE0, {}, 4, 3, 96, pretrained=True)
    told = [load_pretrained(one, LITE0, "imagenet") for one in (network, whole)]
    assert told[0] == told[1]
    weights = whole.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in network.network.state_dict().items())


def test_maps_with_their_channels_last() -> None:
    with torch.device("meta"):
        network = GridPooled("swin_tiny_patch4_window7_224", 4)
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 4)
