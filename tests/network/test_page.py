"""docs/networks.md was measured with the networks as they are."""

import pytest
import torch

from benchmarks.networks import CASES, CLASSES, SETTINGS, Case, key, known_rows
from darkroom.network.zoo import build_network

LIGHT = ("simple_cnn", "small_image_net", "capsule_net", "vgg16", "resnet18", "timm/tf_efficientnet_lite0")


def test_every_network_of_the_list_is_on_the_page() -> None:
    assert list(known_rows()) == [key(case) for case in CASES]


@pytest.mark.parametrize("case", [case for case in CASES if case.network in LIGHT], ids=lambda case: key(case))
def test_parameters_are_those_of_the_network(case: Case) -> None:
    with torch.device("meta"):
        network = build_network(case.network, SETTINGS, CLASSES, 3, case.size, case.published)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert f" {count:,} |" in known_rows()[key(case)], "run `python -m benchmarks.networks`"
