"""The software list."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from darkroom.bundle.software import closure, write_software
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing

SPEC = ModelSpec(
    "small_image_net", {}, "none", ClassList(("a", "b")), Preprocessing(8, 1, "crop", "turbo", (0.5,), (0.2,)),
    1, "float32", 0, "d" * 12, "c" * 12,
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("software") / "software.json"
    write_software(path, SPEC)
    return path


def test_it_lists_what_predicts_and_what_made_it_with_versions(written: Path) -> None:
    found = json.loads(written.read_text())
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    listed = {component["name"]: component for component in found["components"]}
    assert listed["onnxruntime"]["version"] == version("onnxruntime")
    assert listed["onnxruntime"]["scope"] == "required"
    assert listed["flatbuffers"]["scope"] == "required", "what onnxruntime needs"
    assert listed["torch"]["scope"] == "excluded"
    assert listed["numpy"]["licenses"]
    assert found["metadata"]["component"]["version"] == SPEC.data_version


def test_every_dependency_is_listed_once(written: Path) -> None:
    found = json.loads(written.read_text())
    references = [component["bom-ref"] for component in found["components"]]
    assert len(set(references)) == len(references)
    for entry in found["dependencies"]:
        assert set(entry["dependsOn"]) <= set(references)
        assert entry["dependsOn"] == sorted(set(entry["dependsOn"])) or entry["ref"] == "model"


def test_the_same_installation_gives_the_same_bytes_and_no_path(written: Path, tmp_path: Path) -> None:
    write_software(tmp_path / "again.json", SPEC)
    text = written.read_text()
    assert (tmp_path / "again.json").read_text() == text
    assert str(Path.home()) not in text and "site-packages" not in text


def test_predicting_needs_no_torch() -> None:
    from darkroom.bundle.software import PREDICTING

    assert not {"torch", "pandas", "onnx", "pyarrow"} & closure(PREDICTING).keys()
