"""A bundle opens when it is whole and unchanged, and says what is wrong otherwise."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest

from darkroom.bundle.bundle import load_bundle, seal
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.spec import load_spec
from darkroom.runtime.errors import DarkroomError
from tests.conftest import ROOT
from tests.support.packed import read_images

FILES = [
    "MODEL_CARD.md",
    "calibration.json",
    "classes.json",
    "model.json",
    "model.onnx",
    "reference.json",
    "reference.npz",
    "software.json",
]


@pytest.fixture
def bundle(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped / "models/export", tmp_path / "bundle"))


def test_it_answers_the_packed_test_images_as_the_evaluated_model_did(shipped: Path) -> None:
    opened = load_bundle(shipped / "models/export")
    images = read_images(shipped / "data/preprocess/test")
    answers = opened.predict(images)
    assert answers.dtype == np.float32
    table = pq.read_table(shipped / "reports/evaluate/predictions.parquet")
    np.testing.assert_allclose(answers, np.array(table["probabilities"].to_pylist()), atol=1e-5)
    assert [opened.classes.names[row.argmax()] for row in answers] == table["predicted"].to_pylist()


def test_the_index_names_every_file_with_its_hash(shipped: Path) -> None:
    folder = shipped / "models/export"
    index = json.loads((folder / "bundle.json").read_text())
    assert index["files"] == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "bundle.json"])
    assert index["serve"] == "model.onnx"


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found_and_both_hashes_are_named(bundle: Path, name: str) -> None:
    path = bundle / name
    data = bytearray(path.read_bytes())
    before = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DarkroomError) as caught:
        load_bundle(bundle)
    assert str(path) in str(caught.value)
    assert before in str(caught.value)
    assert hashlib.sha256(data).hexdigest() in str(caught.value)


@pytest.mark.parametrize("name", [*FILES, "bundle.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(DarkroomError, match=name):
        load_bundle(bundle)


def test_a_file_that_can_not_be_read_is_named(bundle: Path) -> None:
    (bundle / "model.json").unlink()
    (bundle / "model.json").symlink_to("nowhere")
    with pytest.raises(
        DarkroomError, match=r"model\.json can't be read: No such file or directory; .*dvc repro export"
    ):
        load_bundle(bundle)


def test_an_extra_file_is_named(bundle: Path) -> None:
    (bundle / "more").mkdir()
    (bundle / "more/weights.pkl").touch()
    with pytest.raises(DarkroomError, match=r"more/weights\.pkl"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged"),
        ("[]", r"it is \[\], should be an object"),
        ('{"format": 1}', "format 1.*reads format 2"),
        ('{"format": 2}', "serve is missing; files is missing"),
        ('{"format": "2"}', "format is '2', should be a valid integer"),
        (
            '{"format": 2, "serve": "x.onnx", "files": {"model.json": 3}}',
            "files.'model.json' is 3, should be a valid string",
        ),
        ('{"format": 2, "serve": "x.onnx", "files": {}}', r"lacks calibration\.json, classes\.json"),
    ],
)
def test_a_damaged_index_is_one_clear_message(bundle: Path, content: str, says: str) -> None:
    (bundle / "bundle.json").write_text(content)
    with pytest.raises(DarkroomError, match=says):
        load_bundle(bundle)


def test_no_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="there is no bundle folder"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DarkroomError, match="there is no bundle folder"):
        load_bundle(tmp_path / "file")


def reverse_classes(bundle: Path) -> None:
    ClassList(load_classes(bundle / "classes.json").names[::-1]).save(bundle / "classes.json")


def rename_classes_everywhere_but_in_the_graph(bundle: Path) -> None:
    reverse_classes(bundle)
    replace(load_spec(bundle / "model.json"), classes=load_classes(bundle / "classes.json")).save(bundle / "model.json")


def change_the_mean(bundle: Path) -> None:
    spec = json.loads((bundle / "model.json").read_text())
    spec["preprocessing"]["mean"][0] += 0.01
    (bundle / "model.json").write_text(json.dumps(spec))


def change_the_calibration(bundle: Path, **changed: float) -> None:
    path = bundle / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def change_the_temperature(bundle: Path) -> None:
    change_the_calibration(bundle, temperature=2.5)


def change_the_threshold(bundle: Path) -> None:
    change_the_calibration(bundle, threshold=0.123)


def put_in_a_foreign_graph(bundle: Path) -> None:
    graph = onnx.load(bundle / "model.onnx")
    graph.ClearField("metadata_props")
    onnx.save(graph, bundle / "model.onnx")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (reverse_classes, r"model\.json was made with another class list.*in another order: été, one"),
        (rename_classes_everywhere_but_in_the_graph, r"model\.onnx was made with another class list"),
        (change_the_mean, r"model\.onnx was exported with the preprocessing"),
        (change_the_temperature, r"model\.onnx was exported with the temperature .*, and the model's is 2\.5"),
        (change_the_threshold, r"model\.onnx was exported with the threshold .*, and the calibration says 0\.123"),
        (put_in_a_foreign_graph, r"model\.onnx is no graph of this line: its metadata lack classes, class_hash"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused_though_every_hash_is_right(
    bundle: Path, change: Callable[[Path], None], says: str
) -> None:
    change(bundle)
    seal(bundle, "model.onnx")
    with pytest.raises(DarkroomError, match=says):
        load_bundle(bundle)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 8, 1), np.uint8),
        np.zeros((1, 9, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_images_of_another_shape_or_type_are_refused(shipped: Path, images: np.ndarray) -> None:
    with pytest.raises(DarkroomError, match=r"takes images as uint8 \[N, 8, 8, 3\]"):
        load_bundle(shipped / "models/export").predict(images)


def test_the_graph_alone_tells_a_stranger_how_to_use_it(shipped: Path) -> None:
    path = shipped / "models/export/model.onnx"
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("images", "tensor(uint8)", ["N", 8, 8, 3])
    assert (given.name, given.type, given.shape) == ("probabilities", "tensor(float)", ["N", 3])
    told = session.get_modelmeta().custom_metadata_map
    spec = load_spec(shipped / "models/train/model.json")
    calibration = json.loads((shipped / "models/evaluate/calibration.json").read_text())
    assert json.loads(told["classes"]) == ["one", "zero", "été"]
    assert told["input"] == "images: uint8 [N, 8, 8, 3], RGB; resize rule: crop"
    assert json.loads(told["temperature"]) == calibration["temperature"]
    assert json.loads(told["threshold"]) == calibration["threshold"]
    assert (told["data_version"], told["code_version"]) == (spec.data_version, spec.code_version)
    assert (
        told["weights_sha256"]
        == hashlib.sha256((shipped / "models/train/weights.safetensors").read_bytes()).hexdigest()
    )


def test_it_takes_the_bytes_of_a_file(shipped: Path) -> None:
    opened = load_bundle(shipped / "models/export")
    row = pq.read_table(shipped / "reports/evaluate/predictions.parquet").slice(0, 1).to_pylist()[0]
    pixels = opened.pixels((shipped / "images" / row["path"]).read_bytes())
    np.testing.assert_array_equal(pixels, read_images(shipped / "data/preprocess/test")[0])


def test_no_torch_no_tables_and_no_pickle_are_needed(shipped: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from darkroom.bundle.bundle import load_bundle\n"
        "load_bundle(Path(sys.argv[1]))\n"
        "print(sorted({'torch', 'pandas', 'pyarrow', 'onnx', 'scipy', 'sklearn', 'dvc', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped / "models/export")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
