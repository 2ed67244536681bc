"""The exported graph answers as the module does, says whose it is, and holds nothing of the machine it was made on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from darkroom.inference.export import export_graph
from darkroom.inference.session import open_session, probabilities
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import build_model
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from tests.conftest import ROOT

SETTINGS: dict[str, int | float | str] = {"filters": 8, "depth": 2, "dropout": 0.1}


def describe(network: str, size: int, channels: int) -> ModelSpec:
    preprocessing = Preprocessing(size, channels, "crop", "turbo", (0.4,) * channels, (0.2,) * channels)
    settings = SETTINGS if network == "simple_cnn" else {}
    classes = ClassList(("cat", "dog", "naïve"))
    return ModelSpec(network, settings, "none", classes, preprocessing, 1, "float32", 0, "d" * 12, "c" * 12)


def some_images(count: int, size: int, channels: int) -> UInt8s:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def lively(spec: ModelSpec) -> nn.Module:
    """A fresh network whose answers depend on the image: its normalisations have seen a batch."""
    torch.manual_seed(0)
    model = build_model(spec)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.from_numpy(some_images(32, spec.preprocessing.size, spec.preprocessing.channels)))
    return model.eval()


@pytest.mark.parametrize(
    ("network", "size", "channels", "mirror"),
    [("simple_cnn", 12, 1, False), ("simple_cnn", 12, 1, True), ("mobilenet_v3_small", 32, 3, False)],
)
def test_it_answers_as_torch_does_for_any_number_of_images(
    network: str, size: int, channels: int, mirror: bool, tmp_path: Path
) -> None:
    spec = replace(describe(network, size, channels), mirror=mirror)
    model = lively(spec)
    export_graph(model, spec, tmp_path / "model.onnx", 1.7)
    session = open_session(tmp_path / "model.onnx")
    for count in (1, 2, 33):
        images = some_images(count, size, channels)
        with torch.inference_mode():
            expected = (model(torch.from_numpy(images)) / 1.7).softmax(dim=1).numpy()
        found = probabilities(session, images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.ptp(found, axis=0).max() > 1e-3, "every image has the same answer, so this test shows nothing"


def test_names_shapes_and_metadata_are_as_promised(tmp_path: Path) -> None:
    spec = describe("simple_cnn", 12, 3)
    export_graph(build_model(spec).eval(), spec, tmp_path / "model.onnx", 1.25)
    session = open_session(tmp_path / "model.onnx")
    (takes,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (takes.name, takes.type, takes.shape) == ("images", "tensor(uint8)", ["N", 12, 12, 3])
    assert (gives.name, gives.type, gives.shape) == ("probabilities", "tensor(float)", ["N", 3])
    metadata = session.get_modelmeta().custom_metadata_map
    assert sorted(metadata) == ["class_hash", "classes", "data_version", "preprocessing", "temperature"]
    assert json.loads(metadata["classes"]) == ["cat", "dog", "naïve"]
    assert metadata["class_hash"] == spec.classes.hash
    assert (metadata["data_version"], metadata["temperature"]) == ("d" * 12, "1.25")
    stored = json.loads(metadata["preprocessing"])
    assert Preprocessing(**stored | {"mean": tuple(stored["mean"]), "std": tuple(stored["std"])}) == spec.preprocessing


def test_nothing_of_the_machine_is_inside(tmp_path: Path) -> None:
    spec = describe("simple_cnn", 12, 1)
    export_graph(build_model(spec).eval(), spec, tmp_path / "model.onnx", 1.0)
    data = (tmp_path / "model.onnx").read_bytes()
    for word in (str(ROOT), str(Path.home()), str(tmp_path), "site-packages", "stack_trace", ".py"):
        assert word.encode() not in data
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert not any(node.doc_string or node.metadata_props for node in graph.node)


PROGRAM = """
import sys
from pathlib import Path
import torch
from tests.inference.test_export import describe
from darkroom.inference.export import export_graph
from darkroom.network.load import build_model

torch.manual_seed(3)
spec = describe("simple_cnn", 12, 1)
export_graph(build_model(spec).eval(), spec, Path(sys.argv[1]), 1.0)
"""


def test_another_process_in_another_folder_writes_the_same_bytes_and_prints_nothing(tmp_path: Path) -> None:
    torch.manual_seed(3)
    spec = describe("simple_cnn", 12, 1)
    export_graph(build_model(spec).eval(), spec, tmp_path / "here.onnx", 1.0)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "there.onnx")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "there.onnx").read_bytes() == (tmp_path / "here.onnx").read_bytes()


def test_too_many_weights_for_one_file_are_refused_by_name(tmp_path: Path) -> None:
    spec = describe("simple_cnn", 12, 1)
    model = nn.Linear(600_000_000, 1, device="meta")
    with pytest.raises(DarkroomError, match=r"simple_cnn has 2,400,000,004 bytes of weights.*2,000,000,000"):
        export_graph(model, spec, tmp_path / "model.onnx", 1.0)
    assert not list(tmp_path.iterdir())
