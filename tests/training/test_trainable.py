"""Freezing by layer groups, unfreezing by epoch, rates that fall toward the input."""

import numpy as np
import pytest
import torch
from torch import nn

from darkroom.network.layer_groups import LayerGroup, layer_groups
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError
from darkroom.training.trainable import freeze_all_but, make_trainable, rate_scale, trained_groups

GROUPS = [LayerGroup(name, [f"{name}.weight", f"{name}.bias"], [name]) for name in ("stem", "low", "high", "head")]


def names(freeze: str | int, unfreeze: list[int], epoch: int) -> list[str]:
    return [group.name for group in trained_groups(GROUPS, freeze, unfreeze, epoch)]


def test_what_is_trained() -> None:
    assert names("none", [], 1) == ["stem", "low", "high", "head"]
    assert names("backbone", [], 9) == ["head"]
    assert names(1, [], 1) == ["low", "high", "head"]
    assert [names("backbone", [3, 5], epoch) for epoch in (2, 3, 4, 5)] == [
        ["head"],
        ["high", "head"],
        ["high", "head"],
        ["low", "high", "head"],
    ]


def test_impossible_settings() -> None:
    with pytest.raises(
        DarkroomError, match=r"train\.freeze is 4, and this network has 4 layer groups, .*: set 3 or less"
    ):
        names(4, [], 1)
    with pytest.raises(DarkroomError, match=r"has 2 epochs, and 1 layer groups are frozen \(train\.freeze=1\)"):
        names(1, [2, 3], 1)


def test_rates_fall_toward_the_input() -> None:
    scale = rate_scale(GROUPS, 0.5)
    assert [scale[f"{name}.bias"] for name in ("stem", "low", "high", "head")] == [0.125, 0.25, 0.5, 1]
    assert set(rate_scale(GROUPS, 1.0).values()) == {1.0}


def test_frozen_groups_stay_as_they_are() -> None:
    network = build_network("resnet18", {}, 3, 3, 32)
    found = layer_groups(network)
    trained = trained_groups(found, len(found) - 2, [], 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    freeze_all_but(network, trained)
    expected = {name for group in trained for name in group.parameters}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {name for name in changed if "running" in name or "batches" in name}
    assert changed - statistics == expected
    assert statistics and all(any(name.startswith(group.name) for group in trained) for name in statistics)
    network.train()
    freeze_all_but(network, found)
    assert all(p.requires_grad for p in network.parameters())
    assert all(module.training for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def test_nothing_is_dropped_in_frozen_groups() -> None:
    network = build_network("efficientnet_b0", {}, 3, 3, 32)
    found = layer_groups(network)
    network.train()
    freeze_all_but(network, found[-2:])
    training = {name for name, module in network.named_modules() if module.training}
    trained = {name for group in found[-2:] for name in group.modules}
    assert trained <= training
    assert all(any(inner.startswith(f"{name}.") for inner in trained) or not name for name in training - trained)


def test_the_biases_of_the_whitening_are_trained_in_the_first_epoch_alone() -> None:
    network = build_network("small_image_net", {"filters": 8, "dropout": 0.0}, 3, 1, 16)
    black = np.zeros((4, 16, 16, 1), np.uint8)
    trainable = make_trainable(
        Normalized(network, [0.5], [0.25]),
        black,
        black,
        device=torch.device("cpu"),
        precision=torch.float32,
        augmented=True,
        freeze="none",
        unfreeze=[],
        layer_decay=1.0,
    )
    always = {f"blocks.{block}.{layer}.weight" for block in range(3) for layer in ("first", "second")} | {"head.weight"}
    always |= {f"blocks.{block}.norms.{norm}.bias" for block in range(3) for norm in range(2)}
    for epoch, trained in ((1, always | {"whitening.bias"}), (2, always), (1, always | {"whitening.bias"})):
        trainable.start_epoch(epoch)
        assert {name for name, parameter in network.named_parameters() if parameter.requires_grad} == trained
