"""Temperature and softmax on the graph of logits: the answers, the metadata, and what is no graph."""

from pathlib import Path

import numpy as np
import pytest
import torch

from darkroom.inference.export import export_network
from darkroom.inference.network_graph import NETWORK, write_float_graph
from darkroom.inference.session import LOGITS, open_session, probabilities, values
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import softmax
from tests.inference.test_export import describe, lively, some_images


def test_it_gives_the_probabilities_of_the_logits_and_the_same_bytes_again(
    tmp_path: Path,
) -> None:
    spec = describe("simple_cnn", 12, 1)
    model, images = lively(spec), some_images(5, 12, 1)
    export_network(model, spec, tmp_path / NETWORK)
    write_float_graph(tmp_path / NETWORK, tmp_path / "model.onnx", 1.7)
    network, graph = open_session(tmp_path / NETWORK), open_session(tmp_path / "model.onnx")
    (logits,) = values(network, [LOGITS], images)
    with torch.inference_mode():
        np.testing.assert_allclose(logits, model(torch.from_numpy(images)).numpy(), atol=1e-5)
    np.testing.assert_allclose(probabilities(graph, images), softmax(logits, 1.7), atol=1e-6)
    known = network.get_modelmeta().custom_metadata_map
    assert sorted(known) == ["class_hash", "classes", "data_version", "preprocessing"]
    assert graph.get_modelmeta().custom_metadata_map == known | {"temperature": "1.7"}
    write_float_graph(tmp_path / NETWORK, tmp_path / "again.onnx", 1.7)
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_what_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / NETWORK).write_bytes(b"\x00no graph")
    with pytest.raises(DarkroomError, match=r"network\.onnx is damaged"):
        write_float_graph(tmp_path / NETWORK, tmp_path / "model.onnx", 1.0)
    assert not (tmp_path / "model.onnx").exists()
