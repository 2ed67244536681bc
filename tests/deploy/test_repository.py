"""A bundle as model repositories: what Triton and OpenVINO Model Server read is the bundle's own graph, with its shapes."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.runtime.errors import DarkroomError
from deploy.repository import example_images, triton_config, write_repositories
from serving.app import make_app
from serving.service import Service
from tests.conftest import ROOT
from tests.support.packed import read_images
from tests.support.tiny_bundle import make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_bundle(tmp_path_factory.mktemp("bundle") / "export", channels=3))


@pytest.fixture(scope="module")
def repository(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("repository") / "out"
    write_repositories(bundle, target)
    return target


def test_both_servers_find_the_graph_of_the_bundle_in_version_1(bundle: Bundle, repository: Path) -> None:
    graph = (bundle.folder / bundle.graph).read_bytes()
    assert (repository / "triton/darkroom/1/model.onnx").read_bytes() == graph
    config = json.loads((repository / "openvino/config.json").read_text())
    (entry,) = config["model_config_list"]
    assert entry["config"]["name"] == "darkroom"
    folder = repository / "openvino" / entry["config"]["base_path"]
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")] == ["1/model.onnx"]
    assert (folder / "1/model.onnx").read_bytes() == graph


def test_tritons_configuration_has_the_arrays_of_the_graph(bundle: Bundle, repository: Path) -> None:
    config = (repository / "triton/darkroom/config.pbtxt").read_text()
    assert config == triton_config(bundle)
    (taken,), (given,) = bundle.session.get_inputs(), bundle.session.get_outputs()
    assert f'name: "{taken.name}" data_type: TYPE_UINT8 dims: {taken.shape[1:]}' in config
    assert f'name: "{given.name}" data_type: TYPE_FP32 dims: {given.shape[1:]}' in config
    assert 'platform: "onnxruntime_onnx"' in config
    labels = (repository / "triton/darkroom/labels.txt").read_text(encoding="utf-8").splitlines()
    assert labels == ["bright", "dark", "été"]


@pytest.mark.parametrize(("size", "channels", "largest"), [(28, 1, 64), (224, 3, 6), (1024, 3, 1)])
def test_a_batch_of_large_images_is_smaller(bundle: Bundle, size: int, channels: int, largest: int) -> None:
    shape = replace(bundle.preprocessing, size=size, channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels)
    assert f"max_batch_size: {largest}\n" in triton_config(replace(bundle, preprocessing=shape))


def test_the_example_is_answered_as_the_bundle_answers(bundle: Bundle, repository: Path) -> None:
    (sent,) = json.loads((repository / "example/request.json").read_text())["inputs"]
    assert (sent["name"], sent["datatype"]) == ("images", "UINT8")
    images = np.array(sent["data"], np.uint8).reshape(sent["shape"])
    answer = json.loads((repository / "example/answer.json").read_text())
    (given,) = answer["outputs"]
    assert (answer["model_name"], given["name"], given["datatype"]) == ("darkroom", "probabilities", "FP32")
    np.testing.assert_allclose(np.reshape(given["data"], given["shape"]), bundle.predict(images), atol=1e-7)


def test_the_service_speaks_the_same_protocol(bundle: Bundle, repository: Path) -> None:
    request = json.loads((repository / "example/request.json").read_text())
    service = Service(bundle.folder, threads=1, batch=1)
    answer = TestClient(make_app(service)).post("/v2/models/darkroom/infer", json=request).json()
    service.close()
    expected = json.loads((repository / "example/answer.json").read_text())
    assert answer["model_name"] == expected["model_name"]
    (found,), (given,) = answer["outputs"], expected["outputs"]
    assert (found["name"], found["datatype"], found["shape"]) == (given["name"], given["datatype"], given["shape"])
    np.testing.assert_allclose(found["data"], given["data"], atol=1e-6)


def test_the_example_tells_channels_and_sides_apart(bundle: Bundle) -> None:
    first, second = example_images(bundle)
    assert first.shape == (bundle.preprocessing.size, bundle.preprocessing.size, bundle.preprocessing.channels)
    assert (first + second == 255).all()
    assert not np.array_equal(first[..., 0], first[..., 0][::-1])
    assert not np.array_equal(first, first[..., ::-1])


def test_what_a_client_must_know_is_beside_it(bundle: Bundle, repository: Path) -> None:
    about = json.loads((repository / "repository.json").read_text())
    assert about["classes"] == ["bright", "dark", "été"]
    assert about["threshold"] == bundle.calibration.threshold
    assert about["preprocessing"] == json.loads(json.dumps(bundle.preprocessing.to_dict()))
    index = json.loads((bundle.folder / "bundle.json").read_text())
    assert about["graph"] == {"file": bundle.graph, "sha256": index["files"][bundle.graph]}


def test_a_repository_is_replaced_whole_and_another_folder_never(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_repositories(bundle, target)
    (target / "triton/darkroom/2").mkdir()
    write_repositories(bundle, target)
    assert not (target / "triton/darkroom/2").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.jpg").touch()
    with pytest.raises(DarkroomError, match="photos exists and is no model repository that this command wrote"):
        write_repositories(bundle, tmp_path / "photos")
    assert (tmp_path / "photos/1.jpg").exists()
    with pytest.raises(DarkroomError, match="is inside the bundle"):
        write_repositories(bundle, bundle.folder / "out")


def test_a_changed_bundle_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    changed = make_bundle(tmp_path / "bundle")
    with (changed / "model.onnx").open("ab") as file:
        file.write(b"\0")
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.repository", str(changed), str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1
    assert re.match(r"error: .*model.onnx was changed: its SHA-256 is", ran.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.slow
def test_tritons_own_parser_reads_the_configuration(repository: Path) -> None:
    model_config = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="tritonclient is not installed")
    text_format = pytest.importorskip("google.protobuf.text_format")
    text = (repository / "triton/darkroom/config.pbtxt").read_text()
    config: Any = text_format.Parse(text, model_config.ModelConfig())
    assert config.input[0].data_type == model_config.TYPE_UINT8
    assert list(config.model_warmup[0].inputs["images"].dims) == list(config.input[0].dims)
    assert config.HasField("dynamic_batching")


@pytest.mark.slow
def test_openvino_answers_the_test_images_as_the_bundle_does(shipped: Path, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    bundle, repository = load_bundle(shipped / "models/export"), tmp_path / "out"
    write_repositories(bundle, repository)
    (entry,) = json.loads((repository / "openvino/config.json").read_text())["model_config_list"]
    graph = repository / "openvino/darkroom/1/model.onnx"
    compiled = openvino.Core().compile_model(graph, "CPU", entry["config"]["plugin_config"])
    images = read_images(shipped / "data/preprocess/test")
    found = compiled(images)["probabilities"]
    expected = bundle.predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
