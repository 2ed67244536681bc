"""A bundle whose hashes were made again after a change: what is wrong is named, and nonsense is not taken for a model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from darkroom.bundle.bundle import load_bundle, seal
from darkroom.runtime.errors import DarkroomError


@pytest.fixture
def bundle(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped / "models/export", tmp_path / "bundle"))


def refused(bundle: Path) -> str:
    """The message with which a bundle is refused after its hashes were made again."""
    seal(bundle, "model.onnx")
    with pytest.raises(DarkroomError) as caught:
        load_bundle(bundle)
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message.endswith("take an unchanged copy, or make it again with `dvc repro export`")
    return message.removeprefix(f"{bundle}/")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("temperature", -1.0, "temperature is -1.0, should be greater than or equal to 0.05"),
        ("temperature", 1e300, "temperature is 1e+300, should be less than or equal to 20"),
        ("temperature", float("nan"), "temperature is nan, should be a finite number"),
        ("temperature", True, "temperature is True, should be a valid number"),
        ("temperature", "1.0", "temperature is '1.0', should be a valid number"),
        ("threshold", 1.5, "threshold is 1.5, should be less than or equal to 1"),
        ("images", 2.5, "images is 2.5, should be a valid integer"),
        ("precision", None, "precision is None, should be a valid number"),
        ("tempreature", 2.0, "this version knows no key tempreature"),
    ],
)
def test_a_calibration_is_held_to_types_ranges_and_keys(bundle: Path, key: str, value: Any, says: str) -> None:
    content = json.loads((bundle / "calibration.json").read_text())
    (bundle / "calibration.json").write_text(json.dumps(content | {key: value}))
    assert refused(bundle).startswith(f"calibration.json is damaged ({says}): ")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("size", 0, "size is 0, should be greater than or equal to 1"),
        ("size", "8", "size is '8', should be a valid integer"),
        ("size", 10**9, "size is 1000000000, should be less than or equal to 1024"),
        ("channels", 2, "channels is 2, should be 1 or 3"),
        ("resize", "squash", "resize is 'squash', should be 'crop', 'pad' or 'stretch'"),
        ("decoder", "\x1b[31m", r"decoder is '\x1b[31m', should be 'turbo', 'opencv' or 'pillow'"),
        ("std", [0.2, 0.0, 0.2], "std.1 is 0.0, should be greater than 0"),
        ("mean", [0.5, 128, 0.5], "mean.1 is 128, should be less than or equal to 1"),
    ],
)
def test_a_preprocessing_is_held_to_what_can_be_done(bundle: Path, key: str, value: Any, says: str) -> None:
    content = json.loads((bundle / "model.json").read_text())
    content["preprocessing"][key] = value
    (bundle / "model.json").write_text(json.dumps(content))
    assert refused(bundle).startswith(f"model.json is damaged (preprocessing.{says}): ")


def test_means_and_deviations_are_as_many_as_channels(bundle: Path) -> None:
    content = json.loads((bundle / "model.json").read_text())
    content["preprocessing"]["mean"] = [0.5]
    (bundle / "model.json").write_text(json.dumps(content))
    assert "should have as many means and deviations as channels, not 1 and 3 for 3" in refused(bundle)


def test_a_class_is_named_once(bundle: Path) -> None:
    (bundle / "classes.json").write_text(json.dumps({"classes": ["a", "b", "a"], "hash": "0" * 64}))
    assert refused(bundle).startswith(
        "classes.json is damaged (classes.names is ['a', 'b', 'a'], should have each name once, and has 'a' more often): "
    )


@pytest.mark.parametrize("name", ["classes.json", "model.json", "calibration.json"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}"]
)
def test_what_is_no_json_is_named(bundle: Path, name: str, content: bytes) -> None:
    (bundle / name).write_bytes(content)
    assert refused(bundle).startswith(f"{name} is damaged (")


def change_graph(bundle: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    model = onnx.load(bundle / "model.onnx")
    change(model)
    (bundle / "model.onnx").write_bytes(model.SerializeToString())


def rename_output(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.output[:] = ["answers" if name == "probabilities" else name for name in node.output]
    model.graph.output[0].name = "answers"


def as_logits(model: onnx.ModelProto) -> None:
    """Twice the probabilities, in the same shape."""
    for node in model.graph.node:
        node.output[:] = ["single" if name == "probabilities" else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array(2, np.float32), "two"))
    model.graph.node.append(helper.make_node("Mul", ["single", "two"], ["probabilities"]))


def other_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 9, 8, 3]))


def one_image_only(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", TensorProto.UINT8, [1, 8, 8, 3]))


def weights_of_another_shape(model: onnx.ModelProto) -> None:
    weights = next(each for each in model.graph.initializer if len(each.dims) == 4)
    weights.CopyFrom(numpy_helper.from_array(np.zeros((2, 2), np.float32), weights.name))


def not_a_number(model: onnx.ModelProto) -> None:
    for weights in model.graph.initializer:
        if weights.data_type == TensorProto.FLOAT and weights.dims:
            weights.CopyFrom(numpy_helper.from_array(np.full(tuple(weights.dims), np.nan, np.float32), weights.name))


def set_metadata(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        next(entry for entry in model.metadata_props if entry.key == key).value = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda model: model.graph.ClearField("node"), "model.onnx can't be opened as a graph ("),
        (lambda model: model.graph.node.pop(1), "model.onnx can't be opened as a graph ("),
        (weights_of_another_shape, "model.onnx "),
        (
            rename_output,
            "model.onnx gives [('answers', 'tensor(float)', ['N', 3])], and the model gives probabilities, ",
        ),
        (other_input, "model.onnx takes [('images', 'tensor(uint8)', ['N', 9, 8, 3])], and the model takes images, "),
        (one_image_only, "model.onnx takes [('images', 'tensor(uint8)', [1, 8, 8, 3])], and the model takes images, "),
        (
            as_logits,
            "model.onnx gives no probabilities: for 2 images and 3 classes an array of shape [2, 3] with values ",
        ),
        (
            not_a_number,
            "model.onnx gives no probabilities: for 2 images and 3 classes an array of shape [2, 3] with values ",
        ),
        (set_metadata("classes", "[1"), "the metadata entry classes of "),
        (set_metadata("classes", "7"), "the metadata entry classes of "),
        (
            set_metadata("classes", '["one", "zero", "\u00e9t\u00e9", "one"]'),
            "model.onnx was made with another class list (more than once there: one): ",
        ),
        (set_metadata("preprocessing", "\x1b[2J"), r"model.onnx was exported with the preprocessing \x1b[2J, and "),
        (set_metadata("temperature", "NaN"), "model.onnx was exported with the temperature NaN, and "),
    ],
)
def test_a_graph_must_open_run_and_be_of_this_model(
    bundle: Path, change: Callable[[onnx.ModelProto], object], says: str
) -> None:
    change_graph(bundle, change)
    assert refused(bundle).startswith(says)


def test_bytes_that_are_no_graph_are_named_and_nothing_is_printed(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (bundle / "model.onnx").write_bytes(b"no graph")
    assert refused(bundle).startswith("model.onnx can't be opened as a graph (")
    assert capfd.readouterr() == ("", "")
