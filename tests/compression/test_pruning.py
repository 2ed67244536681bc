"""Pruning: what is taken out of a network, what is left of its answers, and which networks are refused."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from darkroom.compression.pruning import prune
from darkroom.images.pack import Packed
from darkroom.inference.export import export_graph
from darkroom.inference.session import open_session, probabilities
from darkroom.network.load import build_model
from darkroom.runtime.errors import DarkroomError
from tests.support.trained_digits import SPEC, digits, learnt, spec_of


def test_a_third_of_the_channels_goes_and_the_answers_stay(tmp_path: Path) -> None:
    model, train = learnt(), digits()
    before = copy.deepcopy(model.state_dict())
    small = prune(model, SPEC, 0.4, train, epochs=3, seed=0)
    widths = [layer.out_channels for layer in small.modules() if isinstance(layer, nn.Conv2d)]
    # 60% of 16 and of 32 are 9.6 and 19.2.
    assert widths == [8, 8, 16, 16]
    export_graph(small, SPEC, tmp_path / "small.onnx", 1.0)
    answers = probabilities(open_session(tmp_path / "small.onnx"), train.images)
    with torch.no_grad():
        assert np.abs(answers - small(torch.from_numpy(train.images)).softmax(1).numpy()).max() < 1e-4
    assert np.mean(answers.argmax(1) == train.labels) > 0.9
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_it_repeats_and_the_seed_matters() -> None:
    few = digits()
    few = Packed(few.images[:128], few.labels[:128], few.ids[:128])
    once, again, other = (prune(learnt(), SPEC, 0.3, few, epochs=1, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)


@pytest.mark.parametrize("network", ["small_image_net", "mobilenet_v3_small"])
def test_sums_squeezes_and_depthwise_convolutions_still_fit(network: str) -> None:
    settings: dict[str, int | float | str] = {"filters": 32, "dropout": 0.1} if network == "small_image_net" else {}
    spec = spec_of(network, 16, 3, **settings)
    model, train = build_model(spec).eval(), _noise(16, 3)
    small = prune(model, spec, 0.5, train, epochs=1, seed=0)
    assert _size(small) < 0.4 * _size(model)
    assert small(torch.from_numpy(train.images)).shape == (4, 10)
    learns = {name for name, parameter in small.named_parameters() if parameter.requires_grad}
    assert learns == {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize(
    ("network", "settings", "word"),
    [
        ("capsule_net", {}, "capsule"),
        ("timm/vit_tiny_patch16_224", {"pooling": "mean"}, "convolutions"),
        ("timm/tf_efficientnet_lite0", {"pooling": "grid"}, "train.pooling=mean"),
        ("simple_cnn", {"filters": 4, "depth": 1, "dropout": 0.0}, "few channels"),
    ],
)
def test_what_cannot_be_pruned_is_refused(network: str, settings: dict[str, int | float | str], word: str) -> None:
    spec = spec_of(network, 32, 3, **settings)
    with pytest.raises(DarkroomError, match=word):
        prune(build_model(spec).eval(), spec, 0.3, _noise(32, 3), epochs=1, seed=0)


def _noise(size: int, channels: int) -> Packed:
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, channels), dtype=np.uint8)
    return Packed(images, np.arange(4), np.array([f"{index:016x}".encode() for index in range(4)]))


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
