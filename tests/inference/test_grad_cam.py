"""Heat maps point at what the answer was made from, for every kind of network."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from darkroom.inference.explain import explain
from darkroom.inference.grad_cam import grad_cam
from darkroom.inference.map_layer import MapLayer, as_maps, caught_outputs, find_map_layer
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError

CPU = torch.device("cpu")


class Brightest(nn.Module):
    """Class 0 is what is bright in the first channel, class 1 what is bright in the second."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.AvgPool2d(4)

    def forward(self, pictures: Tensor) -> Tensor:
        maps: Tensor = self.maps(pictures)
        return maps[:, :2].mean((2, 3))


def two_spots() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Red at the top left, green at the bottom right."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[4:8, 4:8, 0] = 255
    image[20:28, 24:28, 1] = 255
    return image


def peak(heat: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> tuple[int, int]:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


def test_each_class_is_seen_where_it_is() -> None:
    model = Normalized(Brightest(), [0.0] * 3, [1.0] * 3).eval()
    red, green = explain(model, np.stack([two_spots()] * 2), np.array([0, 1]), CPU).maps
    assert all(4 <= place < 8 for place in peak(red))
    assert 20 <= peak(green)[0] < 28 and 24 <= peak(green)[1] < 28
    assert red.max() == green.max() == 1 and red.min() == green.min() == 0
    assert red[16:].max() == 0


def test_with_mirror_the_heat_is_where_it_is_in_the_image() -> None:
    class Weighed(Brightest):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 2)
            with torch.no_grad():
                self.head.weight.copy_(torch.eye(2))

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.head(super().forward(pictures))
            return logits

    models = [Normalized(Weighed(), [0.0] * 3, [1.0] * 3, mirror).eval() for mirror in (False, True)]
    plain, mirrored = (explain(each, np.stack([two_spots()] * 2), np.array([0, 1]), CPU).maps for each in models)
    assert np.allclose(mirrored, plain, atol=0.01) and mirrored.max() == 1


def test_what_speaks_against_a_class_is_cold() -> None:
    class Darkness(Brightest):
        def forward(self, pictures: Tensor) -> Tensor:
            return -super().forward(pictures)

    model = Normalized(Darkness(), [0.0] * 3, [1.0] * 3).eval()
    assert not explain(model, two_spots()[None], np.array([0]), CPU).maps.any()


# What the networks' maps are, found and not written down anywhere in the library.
@pytest.mark.parametrize(
    ("name", "size", "layer", "side"),
    [
        ("small_image_net", 16, "blocks.1", 3),
        ("small_image_net", 28, "blocks", 3),
        ("simple_cnn", 28, "features", 3),
        ("resnet18", 32, "network.layer4", 4),
        ("shufflenet_v2_x0_5", 32, "network.conv5", 4),
        ("timm/vit_tiny_patch16_224", 32, "network.blocks.10", 8),
    ],
)
def test_the_last_layer_with_a_map_is_found(name: str, size: int, layer: str, side: int) -> None:
    torch.manual_seed(0)
    network = build_network(name, {"filters": 8, "depth": 3, "dropout": 0.0, "pooling": "mean"}, 3, 1, size).eval()
    assert find_map_layer(network, torch.rand(2, 1, size, size)) == MapLayer(layer, side)


def test_of_a_network_for_several_maps_it_is_the_one_that_the_others_are_made_from() -> None:
    """The head sees the last two, and the last is made from the one before: through that one all goes."""
    torch.manual_seed(0)
    network = build_network("timm/tf_efficientnet_lite0", {"pooling": "grid"}, 3, 3, 96, pretrained=True).eval()
    assert find_map_layer(network, torch.rand(2, 3, 96, 96)) == MapLayer("network.blocks.4", 6)


def test_the_way_back_ends_at_the_maps_and_gives_the_gradient_of_the_whole_way() -> None:
    """Also where the layer gives two maps, one made from the other: the gradient of the first goes through both."""
    torch.manual_seed(0)
    network = build_network("timm/tf_efficientnet_lite0", {"pooling": "grid"}, 3, 3, 96, pretrained=True).eval()
    model = Normalized(network, [0.5] * 3, [0.2] * 3).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    pictures = model.normalised(torch.from_numpy(images)).requires_grad_()
    with caught_outputs(network, ["network.blocks.4"]) as outputs:
        answers = network(pictures)
    maps = outputs["network.blocks.4"]
    (gradient,) = torch.autograd.grad(answers[[0, 1], [2, 1]].sum(), [maps])
    heat = (gradient * maps).sum(1, keepdim=True).clamp_min(0).detach()
    heat = nn.functional.interpolate(heat, (96, 96), mode="bilinear")[:, 0]
    heat /= heat.amax((1, 2), keepdim=True)
    found = grad_cam(model, "network.blocks.4", images, np.array([2, 1]), CPU, by_place=True)
    # Fresh weights magnify the rounding: one thread and two give heat that differs by 0.008.
    np.testing.assert_allclose(found, heat.numpy(), atol=0.02)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_tokens_and_channels_in_the_last_place_become_maps() -> None:
    maps = torch.rand(2, 5, 3, 3)
    tokens = torch.cat([torch.rand(2, 4, 5), maps.flatten(2).transpose(1, 2)], 1)
    assert torch.equal(as_maps(tokens), maps)
    assert torch.equal(as_maps(maps.permute(0, 2, 3, 1)), maps)


def test_a_network_without_maps_is_explained_by_occlusion() -> None:
    model = Normalized(nn.Sequential(nn.Flatten(), nn.Linear(256, 3)), [0.5], [0.2]).eval()
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)
    assert explain(model, image, np.array([0]), CPU).method == "occlusion"


def test_where_the_head_looks_at_places_each_keeps_its_own_weight() -> None:
    """Brightness at the top speaks for class 0, at the bottom against it: the mean of the gradient is zero."""

    class Horizon(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.AvgPool2d(4)

        def forward(self, pictures: Tensor) -> Tensor:
            maps: Tensor = self.maps(pictures)
            sky = maps[:, :1, :4].mean((2, 3)) - maps[:, :1, 4:].mean((2, 3))
            return torch.cat([sky, -sky], 1)

    model = Normalized(Horizon(), [0.0] * 3, [1.0] * 3).eval()
    image = np.full((1, 32, 32, 3), 200, np.uint8)
    assert not grad_cam(model, "maps", image, np.array([0]), CPU).any()
    (heat,) = grad_cam(model, "maps", image, np.array([0]), CPU, by_place=True)
    assert heat[:14].min() > 0.999 and heat[18:].max() == 0


def test_frozen_layers_and_batches_change_nothing() -> None:
    torch.manual_seed(0)
    network = build_network("small_image_net", {"filters": 8, "dropout": 0.0}, 3, 1, 28)
    model = Normalized(network, [0.5], [0.2]).eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    classes = np.array([0, 1, 2, 0, 1])
    together = grad_cam(model, "blocks.1", images, classes, CPU)
    assert np.array_equal(together, grad_cam(model, "blocks.1", images, classes, CPU))
    model.requires_grad_(False)
    alone = [grad_cam(model, "blocks.1", images[k : k + 1], classes[k : k + 1], CPU)[0] for k in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_maps_are_those_of_the_formula() -> None:
    """Against the paper's equations, written out for one image of one network."""
    torch.manual_seed(0)
    network = build_network("simple_cnn", {"filters": 8, "depth": 2, "dropout": 0.0}, 3, 1, 16)
    model = Normalized(network, [0.5], [0.2]).eval()
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)
    features, head = network.get_submodule("features"), network.get_submodule("head")
    assert isinstance(features, nn.Sequential)
    maps = features[:-1](model.normalised(torch.from_numpy(image))).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(head(features[-1](maps))[0, 2], [maps])
    alpha = gradient[0].mean((1, 2))
    heat = sum(weight * plane for weight, plane in zip(alpha, maps[0].detach(), strict=True)).clamp_min(0)
    heat = nn.functional.interpolate(heat[None, None], (16, 16), mode="bilinear")[0, 0]
    found = grad_cam(model, f"features.{len(features) - 2}", image, np.array([2]), CPU)[0]
    np.testing.assert_allclose(found, (heat / heat.max()).numpy(), atol=1e-5)


def test_capsules_are_explained_by_occlusion() -> None:
    torch.manual_seed(0)
    model = Normalized(build_network("capsule_net", {}, 3, 1, 16), [0.5], [0.2]).eval()
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)
    found = explain(model, image, np.array([0]), CPU)
    assert found.method == "occlusion" and "Occlusion" in found.text and found.maps.shape == (1, 16, 16)


def test_a_class_for_each_image() -> None:
    model = Normalized(Brightest(), [0.0] * 3, [1.0] * 3).eval()
    with pytest.raises(DarkroomError, match="1 images to explain, and 2 classes"):
        explain(model, two_spots()[None], np.array([0, 1]), CPU)
