"""Networks by name: our own, torchvision's and timm's, with clear words where one does not fit."""

import pytest
import torch

from darkroom.network.grid import GridPooled
from darkroom.network.layer_groups import head, layer_groups
from darkroom.network.load import Normalized
from darkroom.network.pretrained import load_pretrained
from darkroom.network.pretrained_input import LITE0
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.vision import load_timm, torchvision
from darkroom.settings.networks import published_networks, torchvision_networks, unknown_network

SETTINGS = {"filters": 8, "depth": 2, "dropout": 0.1}


def test_the_lists_of_names_are_torchvisions_and_timms() -> None:
    published = [*torchvision.models.list_models(module=torchvision.models)]
    assert list(torchvision_networks()) == published
    published += [f"timm/{name}" for name in load_timm().list_models()]
    assert list(published_networks()) == published


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        ("simple_cnn", 1, 8),
        ("small_image_net", 3, 28),
        ("capsule_net", 1, 8),
        ("resnet18", 1, 8),
        ("mobilenet_v3_small", 3, 28),
        ("vgg16", 3, 28),
        ("vit_b_32", 1, 28),
        ("swin_t", 3, 32),
        ("convnext_tiny", 3, 64),
        ("regnet_y_400mf", 3, 32),
        ("googlenet", 3, 32),
        ("squeezenet1_1", 1, 32),
        ("timm/tf_efficientnet_lite0", 3, 32),
        ("timm/vit_tiny_patch16_224", 1, 32),
        ("timm/test_vit", 3, 96),
    ],
)
def test_logits_for_every_image(name: str, channels: int, size: int) -> None:
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        network = build_network(name, SETTINGS, 7, channels, size)
    with torch.no_grad():
        assert network.eval().to("meta")(torch.empty(2, channels, size, size, device="meta")).shape == (2, 7)


def test_a_size_that_a_network_does_not_take_names_one_that_it_does() -> None:
    with pytest.raises(
        DarkroomError, match=r"inception_v3 does not take images of 28 x 28 pixels .*preprocess\.size=96 works"
    ):
        build_network("inception_v3", SETTINGS, 10, 1, 28)
    with pytest.raises(DarkroomError, match=r"vit_b_16 .*preprocess\.size=32 works"):
        build_network("vit_b_16", SETTINGS, 10, 3, 100)


def test_names_near_and_far() -> None:
    assert unknown_network("resnet18") is None
    assert "did you mean resnet18" in str(unknown_network("resnet_18"))
    assert "did you mean timm/levit_128?" in str(unknown_network("levit_128"))
    assert "known are" in str(unknown_network("zzz"))


def test_normalisation_is_that_of_the_training_images() -> None:
    model = Normalized(torch.nn.Flatten(), [0.5, 0.0, 1.0], [0.25, 1.0, 0.5])
    image = torch.tensor([255, 51, 0], dtype=torch.uint8).reshape(1, 1, 1, 3)
    assert model(image).tolist()[0] == pytest.approx([2.0, 0.2, -2.0])
    assert "mean" not in model.state_dict()


def test_the_groups_of_a_grid_end_with_the_linear_layer() -> None:
    network = GridPooled("tf_efficientnet_lite0", 4).eval()
    assert head(network) is network.head and len(layer_groups(network)) > 3
    pictures = torch.zeros(2, 3, 96, 96)
    pictures[0, :, :32, :32] = pictures[1, :, 64:, 64:] = 1
    with torch.no_grad():
        answers = network(pictures)
    assert answers.shape == (2, 4) and not torch.allclose(answers[0], answers[1], atol=1e-4)


def test_published_weights_fill_the_body_of_a_grid() -> None:
    network, whole = GridPooled("tf_efficientnet_lite0", 4), build_network(LITE0, {}, 4, 3, 96, pretrained=True)
    told = [load_pretrained(one, LITE0, "imagenet") for one in (network, whole)]
    assert told[0] == told[1]
    weights = whole.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in network.network.state_dict().items())


def test_a_grid_of_maps_with_their_channels_last() -> None:
    with torch.device("meta"):
        network = GridPooled("swin_tiny_patch4_window7_224", 4)
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 4)
