"""TFLite files answer as the evaluated model, and the export stage holds them to it."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]
from ai_edge_litert.tools import flatbuffer_utils  # type: ignore[import-untyped]
from flatbuffers.number_types import Float32Flags, Int8Flags, Uint32Flags  # type: ignore[import-untyped]
from flatbuffers.table import Table  # type: ignore[import-untyped]
from torch import nn

from darkroom.bundle import tflite_quantizer
from darkroom.bundle.bundle import load_bundle
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8, TFLiteSession
from darkroom.bundle.tflite_conversion import CONVERTER_PACKAGES, Conversion, converter_versions, write_tflite
from darkroom.bundle.tflite_metadata import divide_logits, metadata, read_file, write_file
from darkroom.bundle.tflite_program import fold_exported_batch_norms
from darkroom.images.pack import Packed, load_packed
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing, load_spec
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import Calibration, load_calibration
from stages import export
from tests.conftest import ROOT
from tests.support.line import run_export

CONVERTER = ROOT / (variable("VENV_TFLITE") or ".venv-tflite")
# In one process, so that the converter runs once.
pytestmark = pytest.mark.xdist_group("tflite")


@pytest.fixture(scope="module")
def converted(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two files of the short line, for which the converter ran once: it takes twelve seconds."""
    if not CONVERTER.exists():
        pytest.skip("the converter is not installed: make converter")
    folder = tmp_path_factory.mktemp("converted")
    spec = load_spec(shipped / "models/train/model.json")
    calibration = load_calibration(shipped / "models/evaluate/calibration.json")
    write_tflite(convert_line(shipped, CONVERTER, folder / "cache"), folder, spec, calibration)
    return folder


@pytest.fixture
def line(shipped: Path, tmp_path: Path) -> Path:
    """A copy of the line without what export writes."""
    root = tmp_path / "line"
    shutil.copytree(shipped, root, ignore=shutil.ignore_patterns("images", "export"))
    return root


def convert_line(root: Path, environment: Path, cache: Path, images: int = 1_000, code: str = "c") -> Path:
    """Convert the model of a line, by a process that loads it."""
    model, train = root / "models/train", root / "data/preprocess/train"
    with Conversion(model, environment, train, images, cache, code) as conversion:
        conversion.begin()
        return conversion.folder()


def fake_converter(folder: Path, script: str) -> Path:
    """An environment that has the converter's packages by name, and a program in place of its Python."""
    for name in CONVERTER_PACKAGES:
        packages = folder / f"lib/python3.11/site-packages/{name.replace('-', '_')}-1.0.dist-info"
        packages.mkdir(parents=True)
        (packages / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return folder


def training_images(root: Path) -> Packed:
    return load_packed(root / "data/preprocess/train")


def evaluated(root: Path) -> tuple[Packed, Float32s]:
    """The test images, and what the evaluated model answers."""
    table = pq.read_table(root / "reports/evaluate/predictions.parquet")
    return load_packed(root / "data/preprocess/test"), np.array(table["probabilities"].to_pylist(), dtype=np.float32)


def requantize(float_file: Path, images: np.ndarray, target: Path) -> None:
    """Run the quantizer once more, on other images or another file."""
    np.save(target.with_suffix(".npy"), images)
    program, python = Path(tflite_quantizer.__file__), CONVERTER / "bin/python"
    subprocess.run(
        [python, "-I", program, float_file, target.with_suffix(".npy"), target], check=True, capture_output=True
    )


def export_with(line: Path, monkeypatch: pytest.MonkeyPatch, float_file: Path, int8_file: Path) -> None:
    """The export stage, with a converter that gives these two files."""

    def give(_: object, folder: Path, *__: object) -> None:
        shutil.copyfile(float_file, folder / TFLITE)
        shutil.copyfile(int8_file, folder / TFLITE_INT8)

    monkeypatch.setattr(export, "Conversion", MagicMock())
    monkeypatch.setattr(export, "write_tflite", give)
    run_export(line, converter=CONVERTER)


def test_both_files_answer_one_image_at_a_time_as_promised(shipped: Path, converted: Path) -> None:
    tested, expected = evaluated(shipped)
    np.testing.assert_allclose(
        TFLiteSession(converted / TFLITE).predict(np.asarray(tested.images)), expected, atol=1e-5
    )
    small = TFLiteSession(converted / TFLITE_INT8).predict(np.asarray(tested.images))
    assert small.dtype == np.float32 and 0 < np.abs(small - expected).max() < 0.2
    for name in (TFLITE, TFLITE_INT8):
        runner = Interpreter(model_path=str(converted / name)).get_signature_runner()
        taken, given = runner.get_input_details()["images"], runner.get_output_details()["probabilities"]
        assert (taken["dtype"], taken["shape"].tolist()) == (np.uint8, [1, 8, 8, 3])
        assert (given["dtype"], given["shape"].tolist()) == (np.float32, [1, 3])
    assert (converted / TFLITE_INT8).stat().st_size < (converted / TFLITE).stat().st_size


def test_nothing_of_the_machine_is_inside(converted: Path) -> None:
    for name in (TFLITE, TFLITE_INT8):
        data = (converted / name).read_bytes()
        for word in (str(ROOT), str(Path.home()), "site-packages", "/tmp/", ".py"):
            assert word.encode() not in data


def test_the_same_images_give_the_same_bytes_in_8_bits(shipped: Path, converted: Path, tmp_path: Path) -> None:
    for name in ("once.tflite", "again.tflite"):
        requantize(converted / TFLITE, np.asarray(training_images(shipped).images), tmp_path / name)
    assert (tmp_path / "again.tflite").read_bytes() == (tmp_path / "once.tflite").read_bytes()


def test_they_carry_labels_and_metadata(shipped: Path, converted: Path) -> None:
    spec = load_spec(shipped / "models/train/model.json")
    calibration = load_calibration(shipped / "models/evaluate/calibration.json")
    for name in (TFLITE, TFLITE_INT8):
        model = flatbuffer_utils.read_model(str(converted / name))
        (entry,) = [each for each in model.metadata if each.name == b"TFLITE_METADATA"]
        found = bytes(model.buffers[entry.buffer].data)
        assert found == metadata(spec, calibration) and found[4:8] == b"M001"
        with zipfile.ZipFile(converted / name) as archive:
            assert archive.read("labels.txt").decode() == "one\nzero\nété\n"


def test_the_logits_are_divided_by_the_temperature(shipped: Path, converted: Path, tmp_path: Path) -> None:
    images = np.asarray(evaluated(shipped)[0].images)
    for name in (TFLITE, TFLITE_INT8):
        model = read_file(converted / name)
        divide_logits(model, 2.0)
        write_file(model, tmp_path / name, ["a"])
        before, after = (TFLiteSession(folder / name).predict(images) for folder in (converted, tmp_path))
        powers = np.sqrt(before)
        np.testing.assert_allclose(after, powers / powers.sum(1, keepdims=True), atol=1e-5)


def table_at(data: bytes, position: int, *path: tuple[int, bool]) -> Table:
    """The table that a path of fields leads to; a vector's first where a field holds one."""
    found = Table(data, position)
    for place, is_vector in path:
        at = found.Pos + found.Offset(4 + 2 * place)
        found = Table(data, found.Indirect(found.Vector(found.Offset(4 + 2 * place)) if is_vector else at))
    return found


def test_the_metadata_say_what_goes_in_and_what_comes_out() -> None:
    spec = ModelSpec(
        "net", {}, "none", ClassList(("a", "b\nc")), Preprocessing(24, 3, "pad", "turbo", (0.5, 0.25, 0.1), (0.2, 0.2, 0.2)),
        1, "float32", 0, "d" * 12, "c" * 12,
    )  # fmt: skip
    data = metadata(spec, Calibration(1.0, 0.75, 0.9, 0.8, 0.95, 0.9, 0.98, 100))
    root = int.from_bytes(data[:4], "little")
    taken = table_at(data, root, (3, True), (2, True))
    assert taken.String(taken.Pos + taken.Offset(4)) == b"images"
    assert b"resize rule: pad." in taken.String(taken.Pos + taken.Offset(6))
    picture = table_at(data, taken.Pos, (3, False), (1, False))
    assert picture.Get(Int8Flags, picture.Pos + picture.Offset(4)) == 1  # RGB
    size = table_at(data, picture.Pos, (1, False))
    assert [size.Get(Uint32Flags, size.Pos + size.Offset(4 + 2 * place)) for place in (0, 1)] == [24, 24]
    given = table_at(data, root, (3, True), (3, True))
    assert given.String(given.Pos + given.Offset(4)) == b"probabilities"
    threshold = table_at(data, given.Pos, (4, True), (1, False))
    assert threshold.Get(Float32Flags, threshold.Pos + threshold.Offset(4)) == 0.75
    labels = table_at(data, given.Pos, (6, True))
    assert labels.String(labels.Pos + labels.Offset(4)) == b"labels.txt"
    assert labels.Get(Int8Flags, labels.Pos + labels.Offset(8)) == 2  # the labels of an axis


def test_a_dead_channel_keeps_its_bias_in_8_bits(shipped: Path, converted: Path, tmp_path: Path) -> None:
    """A channel without weights has no scale for its bias, which the quantizer alone would make another number."""
    model = flatbuffer_utils.read_model_with_mutable_tensors(str(converted / TFLITE))
    product = next(tflite_quantizer._operators(model, "CONV_2D"))
    weights, bias = (model.subgraphs[0].tensors[index] for index in product.inputs[1:3])
    for tensor, value in ((weights, 0.0), (bias, 1.5)):
        numbers = np.frombuffer(model.buffers[tensor.buffer].data, np.float32).reshape(tensor.shape).copy()
        numbers[:4] = value  # the output channels come first
        model.buffers[tensor.buffer].data = np.frombuffer(numbers.tobytes(), np.uint8)
    flatbuffer_utils.write_model(model, str(tmp_path / "dead.tflite"))
    requantize(tmp_path / "dead.tflite", np.asarray(training_images(shipped).images), tmp_path / "dead.int8.tflite")
    tested, _ = evaluated(shipped)
    before, after = (
        TFLiteSession(tmp_path / name).predict(np.asarray(tested.images))
        for name in ("dead.tflite", "dead.int8.tflite")
    )
    assert np.abs(before - after).max() < 0.2


def test_padding_of_minus_infinity_becomes_the_smallest_value_seen() -> None:
    """An endless range has no scale: the runtime crashed on such a file of ResNet-18. Here one constant pads two maxima."""
    names, endless = (b"first", b"widths", b"constant", b"second", b"padded first", b"padded second"), -np.inf
    tensors = [SimpleNamespace(name=name, buffer=int(name == b"constant")) for name in names]
    buffers = [SimpleNamespace(data=None), SimpleNamespace(data=np.array([endless], np.float32).view(np.uint8))]
    code = schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.PADV2)
    operators = [
        SimpleNamespace(opcodeIndex=0, inputs=[0, 1, 2], outputs=[4]),
        SimpleNamespace(opcodeIndex=0, inputs=[3, 1, 2], outputs=[5]),
    ]
    graph = SimpleNamespace(tensors=tensors, operators=operators)
    model = SimpleNamespace(subgraphs=[graph], buffers=buffers, operatorCodes=[code])
    low = {"first": -1.0, "padded first": endless, "second": -3.0, "padded second": endless}
    ranges = {name: {"min": np.array([value]), "max": np.array([2.0])} for name, value in low.items()}
    tflite_quantizer._pad_with_numbers(model, ranges)
    assert ranges["padded first"]["min"] == -1 and ranges["padded second"]["min"] == -3
    assert buffers[1].data.view(np.float32) == -3


def test_they_ship_with_their_place_in_the_parity_report(
    line: Path, converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_with(line, monkeypatch, converted / TFLITE, converted / TFLITE_INT8)
    parity = json.loads((line / "reports/export/parity.json").read_text())
    assert list(parity["graphs"]) == ["model.onnx", TFLITE, TFLITE_INT8] and parity["left_out"] == {}
    assert parity["graphs"][TFLITE]["limit"] == {"probability_difference": 0.001}
    assert parity["graphs"][TFLITE_INT8]["limit"] == {"label_disagreement": 0.1}
    assert parity["converter"]["litert-torch"]
    bundle = load_bundle(line / "models/export")
    assert bundle.graph == "model.onnx" and (bundle.folder / TFLITE_INT8).exists()


def test_int8_outside_its_limit_is_left_out_and_the_line_goes_on(
    line: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requantize(converted / TFLITE, np.zeros((4, 8, 8, 3), dtype=np.uint8), tmp_path / "dark.tflite")
    export_with(line, monkeypatch, converted / TFLITE, tmp_path / "dark.tflite")
    parity = json.loads((line / "reports/export/parity.json").read_text())
    assert list(parity["graphs"]) == ["model.onnx", TFLITE] and list(parity["left_out"]) == [TFLITE_INT8]
    assert "labels differ on" in parity["left_out"][TFLITE_INT8]["reason"]
    assert "model.int8.tflite is left out: labels differ on" in capsys.readouterr().out
    load_bundle(line / "models/export")
    assert not (line / "models/export" / TFLITE_INT8).exists()


def test_a_float_file_that_answers_otherwise_fails_with_the_numbers_and_leaves_no_bundle(
    line: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requantize(converted / TFLITE, np.zeros((4, 8, 8, 3), dtype=np.uint8), tmp_path / "dark.tflite")
    with pytest.raises(DarkroomError, match=rf"{TFLITE}: a probability differs by 0\.\d+, 0\.001 allowed \(at "):
        export_with(line, monkeypatch, tmp_path / "dark.tflite", converted / TFLITE_INT8)
    assert not list((line / "models").glob("*export*"))


def test_a_missing_converter_is_named_before_any_work(line: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DarkroomError, match=r"nowhere lacks ai-edge-litert.*`make converter` installs.*export\.tflite=false"
    ):
        run_export(line, converter=tmp_path / "nowhere")


def test_half_an_environment_names_what_is_missing(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    for name in ("torch", "ai_edge_litert", "ai_edge_quantizer"):
        (packages / f"{name}-1.0.dist-info").mkdir(parents=True)
        (packages / f"{name}-1.0.dist-info/METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    with pytest.raises(DarkroomError, match="lacks litert-torch:"):
        converter_versions(tmp_path)


def test_a_network_that_cannot_be_converted_is_named_with_its_last_line_and_leaves_nothing(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What writes the program for the converter has no part in this.
    monkeypatch.setattr(sys, "executable", "true")
    environment = fake_converter(tmp_path / "venv", "echo 'NotImplementedError: no lowering for aten.svd' >&2\nexit 1")
    with pytest.raises(
        DarkroomError, match=r"simple_cnn can't be converted to TFLite: NotImplementedError: no lowering"
    ):
        convert_line(shipped, environment, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_conversion_is_made_again_only_for_what_it_depends_on_or_where_its_files_are_damaged(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finish(_: object, process: subprocess.Popen[str], line: str = "") -> None:
        process.kill()
        command = process.args
        assert isinstance(command, list)
        made.append(Path(command[2]).stem)
        if line or made[-1] == "tflite_quantizer":
            Path(command[-1]).write_bytes(b"a model")

    made: list[str] = []
    monkeypatch.setattr(Conversion, "_finish", finish)
    each = ["darkroom.bundle", "tflite_converter", "tflite_quantizer"]
    environment, cache = fake_converter(tmp_path / "venv", "exit 1"), tmp_path / "cache"
    first = convert_line(shipped, environment, cache)
    assert convert_line(shipped, environment, cache) == first and made == each
    others = convert_line(shipped, environment, cache, 8), convert_line(shipped, environment, cache, code="d")
    assert len({first, *others}) == 3 and made == 3 * each
    assert "is damaged" not in capsys.readouterr().out
    (first / TFLITE).write_bytes(b"a mode")
    assert convert_line(shipped, environment, cache) == first and made == 4 * each
    assert "is damaged: it is made again" in capsys.readouterr().out and (first / TFLITE).read_bytes() == b"a model"


def test_batch_norms_are_folded_into_the_convolutions_before_them() -> None:
    """Those before a normalisation without another user alone; the answers stay."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3, padding="same", bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.Flatten(),
    ]
    network = nn.Sequential(*layers, nn.Linear(144, 2))
    images = torch.rand(16, 1, 6, 6)
    network.train()(images)
    program = torch.export.export(network.eval(), (images,)).module()
    assert isinstance(program, torch.fx.GraphModule)
    assert fold_exported_batch_norms(program) == 1
    norms = [node for node in program.graph.nodes if node.target is torch.ops.aten.batch_norm.default]
    assert len(norms) == 1
    with torch.no_grad():
        np.testing.assert_allclose(program(images).numpy(), network(images).numpy(), atol=1e-5)
