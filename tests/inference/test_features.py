"""Features, worked out once: what the head makes of them is what the whole network answers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from darkroom.inference import features as room
from darkroom.inference.features import MOST_CACHED, features, features_of_poolings
from darkroom.network.grid import POOLINGS
from darkroom.network.layer_groups import head
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.runtime.arrays import UInt8s

IMAGES: UInt8s = np.random.default_rng(0).integers(0, 256, (21, 32, 32, 3), dtype=np.uint8)


def model(name: str = "resnet18", seed: int = 0) -> Normalized:
    torch.manual_seed(seed)
    settings = {"filters": 8, "depth": 2, "dropout": 0.5} if name == "simple_cnn" else {}
    return Normalized(build_network(name, settings, 4, 3, 32), (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("name", ["simple_cnn", "resnet18", "mobilenet_v3_small", "timm/tf_efficientnet_lite0"])
def test_the_head_answers_from_features_as_the_network_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CPU_PIXELS", 8 * 32 * 32)
    one = model(name).train()
    rows = features(one, IMAGES, cache=None)
    assert rows.dtype == torch.float32 and rows.shape[0] == len(IMAGES) and one.training
    with torch.no_grad():
        answers = one.eval()(torch.from_numpy(IMAGES))
        torch.testing.assert_close(head(one.network)(rows), answers, rtol=1e-4, atol=1e-4)


def test_features_are_cached_until_something_they_depend_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, worked_out, work_out = model(), [0], room._work_out

    def counted(network: Normalized, images: UInt8s, precision: torch.dtype) -> torch.Tensor:
        worked_out[0] += 1
        return work_out(network, images, precision)

    monkeypatch.setattr(room, "_work_out", counted)
    first = features(one, IMAGES, cache=tmp_path)
    torch.nn.init.zeros_(head(one.network).weight)  # type: ignore[arg-type]
    assert torch.equal(features(one, IMAGES, cache=tmp_path), first) and worked_out[0] == 1
    features(one, IMAGES, torch.bfloat16, cache=tmp_path)
    features(one, IMAGES[::-1], cache=tmp_path)
    next(one.network.parameters()).data[0] += 1
    assert not torch.equal(features(one, IMAGES, cache=tmp_path), first) and worked_out[0] == 4
    for count in range(1, MOST_CACHED + 1):
        features(one, IMAGES[:count], cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == MOST_CACHED


@pytest.mark.parametrize("channels", [1, 3])
def test_one_pass_gives_the_features_of_both_poolings(channels: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    name, images = "timm/tf_efficientnet_lite0", np.ascontiguousarray(IMAGES[:5, :, :, :channels])
    networks = {kind: build_network(name, {"pooling": kind}, 4, channels, 32, pretrained=True) for kind in POOLINGS}
    if channels == 3:
        networks["grid"].network.load_state_dict(networks["mean"].state_dict(), strict=False)  # type: ignore[union-attr]
    else:
        networks["grid"].network.network.load_state_dict(networks["mean"].network.state_dict(), strict=False)  # type: ignore[union-attr]
    models = {kind: Normalized(network, (0.5,) * channels, (0.25,) * channels) for kind, network in networks.items()}
    found = features_of_poolings(models, images, torch.float32, tmp_path)
    assert found["mean"].shape == (5, 1280) and found["grid"].shape == (5, 16 * (112 + 192))
    for kind, one in models.items():
        assert torch.equal(found[kind], features(one, images, cache=None))
        assert torch.equal(found[kind], features(one, images, cache=tmp_path))
