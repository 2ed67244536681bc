"""Quantization-aware fine-tuning: the rounding is ONNX Runtime's, and weights that learn with it lose less."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from darkroom.compression.int8 import quantize_graph
from darkroom.compression.quantization_aware import fold_norms, quantization_aware, round_as_int8
from darkroom.images.pack import Packed
from darkroom.inference.export import export_graph
from darkroom.inference.session import open_session, probabilities
from darkroom.network.load import Normalized, build_model
from darkroom.runtime.arrays import Float32s
from tests.support.trained_digits import SPEC, digits, learnt, spec_of


def in_8_bits(model: nn.Module, folder: Path) -> Float32s:
    """Probabilities of all digits by the static INT8 form of a network, calibrated on all of them."""
    images = np.asarray(digits().images)
    export_graph(model, SPEC, folder / "float.onnx", 1.0)
    quantize_graph(folder / "float.onnx", images, folder / "int8.onnx")
    return probabilities(open_session(folder / "int8.onnx"), images)


@torch.no_grad()
def in_float(model: nn.Module) -> Float32s:
    answers: Float32s = model(torch.from_numpy(digits().images)).softmax(1).numpy()
    return answers


def uneven() -> Normalized:
    """The same answers in float, but the first channel of the first layer is 200 times as large as it was, which leaves the
    others few of the 256 steps of their common range."""
    model = copy.deepcopy(learnt())
    norm, following = model.get_submodule("network.features.1"), model.get_submodule("network.features.3")
    assert isinstance(norm, nn.BatchNorm2d) and isinstance(following, nn.Conv2d)
    with torch.no_grad():
        norm.weight[0] *= 200
        norm.bias[0] *= 200
        following.weight[:, 0] /= 200
    return model


@pytest.mark.parametrize("network", ["simple_cnn", "timm/tf_efficientnet_lite0"])
def test_folding_changes_no_answer(network: str) -> None:
    settings: dict[str, int | float | str] = {"filters": 8, "depth": 2, "dropout": 0.5} if "_cnn" in network else {}
    spec = spec_of(network, 16, 3, **settings | ({"pooling": "mean"} if network.startswith("timm/") else {}))
    torch.manual_seed(0)
    model = build_model(spec)
    images = torch.randint(0, 256, (8, 16, 16, 3), dtype=torch.uint8)
    model.train()(images)  # so that the running statistics are not those of a fresh network
    folded = copy.deepcopy(model.eval())
    fold_norms(folded, images[:1])
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(images), model(images), rtol=1e-3, atol=1e-4)


def test_the_rounding_is_that_of_the_runtime(tmp_path: Path) -> None:
    model = copy.deepcopy(uneven())
    images = torch.from_numpy(digits().images)
    fold_norms(model, images[:1])
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    graph = torch.export.export(model, (images[:2],), dynamic_shapes=dynamic).module(check_guards=False)
    round_as_int8(graph)
    # One batch of all images: the ranges are then the smallest and largest values, as in the runtime.
    rounded, exact, runtime = in_float(graph), in_float(model), in_8_bits(model, tmp_path)
    assert np.abs(runtime - exact).mean() > 0.02
    assert np.abs(rounded - runtime).mean() < 0.1 * np.abs(runtime - exact).mean()


def test_int8_of_what_has_learnt_with_rounding_loses_less(tmp_path: Path) -> None:
    model, train = uneven(), digits()
    before = copy.deepcopy(model.state_dict())
    wanted = in_float(model).argmax(1)
    aware = quantization_aware(model, train, epochs=2, seed=0)
    plain = np.mean(in_8_bits(model, tmp_path).argmax(1) == wanted)
    assert plain < 0.9
    assert np.mean(in_8_bits(aware, tmp_path).argmax(1) == wanted) > (1 + plain) / 2
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_it_repeats() -> None:
    few = digits()
    few = Packed(few.images[:128], few.labels[:128], few.ids[:128])
    once, again = (quantization_aware(learnt(), few, epochs=1, seed=0).state_dict() for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
