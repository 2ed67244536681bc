"""The features that are taken out of a finished graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from darkroom.bundle.graph_features import features_name, with_features
from darkroom.compression.int8 import quantize_graph
from darkroom.inference.export import export_graph
from darkroom.inference.session import OUTPUT, open_session, probabilities, values
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8)
SPEC = ModelSpec(
    "none", {}, "none", ClassList(("a", "b")), Preprocessing(6, 3, "crop", "turbo", (0.5,) * 3, (0.2,) * 3),
    1, "float32", 0, "d", "c",
)  # fmt: skip


class Small(nn.Module):
    """A convolution, a mean, a layer that names classes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

    def embed(self, images: Tensor) -> Tensor:
        scaled = images.permute(0, 3, 1, 2).float() / 255
        embedding: Tensor = torch.relu(self.convolution(scaled)).mean(dim=(2, 3))
        return embedding

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(images))
        return logits


class Lengths(nn.Module):
    """No last layer: the class is the longest vector, as among capsules."""

    def forward(self, images: Tensor) -> Tensor:
        lengths: Tensor = images.float().reshape(len(images), 2, -1).norm(dim=2)
        return lengths / 1000


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_graph(Small().eval(), SPEC, path, 1.5)
    return path


def test_it_is_what_goes_into_the_last_layer_and_the_predictions_stay(graph: Path) -> None:
    data, name = with_features(graph)
    assert name is not None
    predictions, features = values(open_session(data), [OUTPUT, name], IMAGES)
    np.testing.assert_allclose(features, Small().embed(torch.from_numpy(IMAGES)).detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predictions, probabilities(open_session(graph), IMAGES), atol=1e-6)


def test_an_int8_graph_gives_it_in_floating_point(graph: Path, tmp_path: Path) -> None:
    quantize_graph(graph, IMAGES, tmp_path / "model.int8.onnx")
    data, name = with_features(tmp_path / "model.int8.onnx")
    assert name is not None
    (features,) = values(open_session(data), [name], IMAGES)
    assert features.dtype == np.float32
    exact = Small().embed(torch.from_numpy(IMAGES)).detach().numpy()
    assert np.abs(features - exact).max() < 0.05 * np.abs(exact).max()


def test_a_dynamic_graph_gives_it_too(graph: Path, tmp_path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(graph, tmp_path / "dynamic.onnx")
    data, name = with_features(tmp_path / "dynamic.onnx")
    assert name is not None
    (features,) = values(open_session(data), [name], IMAGES)
    assert features.dtype == np.float32 and features.shape == (40, 8)


def test_a_network_without_a_last_layer_has_none(tmp_path: Path) -> None:
    export_graph(Lengths(), SPEC, tmp_path / "model.onnx", 1.0)
    assert features_name(onnx.load(tmp_path / "model.onnx").graph) is None
    data, name = with_features(tmp_path / "model.onnx")
    assert name is None
    assert len(open_session(data).get_outputs()) == 1
