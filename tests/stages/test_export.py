"""The export stage: a bundle that predicts as the evaluated model did, or none."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from torch import Tensor, nn

from darkroom.bundle.bundle import load_bundle
from darkroom.compression.int8 import quantize_graph
from darkroom.images.pack import load_packed
from darkroom.images.pixels import read_pixels
from darkroom.inference.export import export_graph
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, load_spec
from darkroom.network.load import load_model
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.closure import Code
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import load_calibration
from serving.asking import FORMS
from serving.v2_tensors import _pixels as v2_pixels
from tests.conftest import ROOT
from tests.support.line import run_export


@pytest.fixture
def line(shipped: Path, tmp_path: Path) -> Path:
    """A copy of the line without what export writes."""
    root = tmp_path / "line"
    shutil.copytree(shipped, root, ignore=shutil.ignore_patterns("images", "export"))
    return root


def contents(root: Path) -> dict[str, bytes]:
    """All tracked files that the stage wrote."""
    folders = (root / "models/export", root / "reports/export")
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


def let_int8_win(line: Path) -> None:
    path = line / "models/quantize/verdict.json"
    told = {"choice": "int8", "graph": "model.int8.onnx", "reason": "INT8 is fast"}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))


def replace_graph(line: Path, model: nn.Module, spec: ModelSpec) -> None:
    """Put another float graph in the place of that of quantize, with the temperature of this line."""
    temperature = load_calibration(line / "models/evaluate/calibration.json").temperature
    export_graph(model, spec, line / "models/quantize/model.onnx", temperature)


def test_twice_gives_the_same_bytes(shipped: Path, line: Path) -> None:
    run_export(line)
    assert contents(line) == contents(shipped)


def test_the_parity_report_says_what_was_compared(shipped: Path) -> None:
    parity = json.loads((shipped / "reports/export/parity.json").read_text())
    images = len(np.load(shipped / "data/preprocess/test/labels.npy"))
    metrics = json.loads((shipped / "reports/evaluate/metrics.json").read_text())
    assert (parity["images"], parity["of"], parity["pixels_equal"]) == (images, images, True)
    assert parity["evaluated_accuracy"] == metrics["test"]["accuracy"]
    assert list(parity["graphs"]) == ["model.onnx"]
    found = parity["graphs"]["model.onnx"]
    assert found["largest_difference"] <= 1e-5
    assert (found["label_agreement"], found["accuracy_difference"]) == (1, 0)
    assert found["accuracy_difference_low"] < 0 < found["accuracy_difference_high"]
    assert found["limit"] == {"probability_difference": 0.001}
    assert found["sha256"] == hashlib.sha256((shipped / "models/export/model.onnx").read_bytes()).hexdigest()


def test_the_service_is_asked_in_every_form(shipped: Path) -> None:
    http = json.loads((shipped / "reports/export/parity.json").read_text())["http"]
    images = len(np.load(shipped / "data/preprocess/test/labels.npy"))
    assert list(http["forms"]) == list(FORMS) and http["limit"] == {"probability_difference": 0.001}
    for form in http["forms"].values():
        assert form == {"images": images, "label_agreement": 1.0, "largest_difference": 0.0}
    card = (shipped / "models/export/MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"Asked over HTTP in 7 forms, for up to {images} test images, it gives the same classes for 100.00%" in card


def test_what_a_browser_needs_is_named_before_any_work(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DarkroomError, match=r"export\.browser is on: there is no browser .* or export\.browser=false"):
        run_export(line, browser=True)


@pytest.mark.slow
def test_the_page_without_a_server_is_asked_in_a_browser(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("npm") or not shutil.which("chromium"):
        pytest.skip("npm or Chromium is not installed: apt-get install npm chromium")
    monkeypatch.chdir(ROOT)
    run_export(line, browser=True)
    images = len(np.load(line / "data/preprocess/test/labels.npy"))
    assert json.loads((line / "reports/export/parity.json").read_text())["browser"] == {
        "graph": "model.onnx",
        "images": images,
        "label_agreement": 1.0,
        "largest_difference": 0.0,
        "limit": {"label_agreement": 0.995, "probability_difference": 0.01},
    }
    assert f"In a browser without a server, for {images} test images" in contents(line)["MODEL_CARD.md"].decode()


def test_no_code_of_the_page_runs_export_again() -> None:
    reached = Code(ROOT).closure("stages/export.py")
    assert "serving/v1.py" in reached and "serving/offline/browser.py" in reached
    assert not [path for path in reached if path.startswith("serving/page/") or path.endswith((".css", ".html", ".js"))]
    assert not {"serving/app.py", "serving/__main__.py", "serving/offline/page.py"} & set(reached)


def test_fewer_images_are_an_even_sample_that_is_stated(line: Path) -> None:
    run_export(line, parity_images=5)
    parity = json.loads((line / "reports/export/parity.json").read_text())
    assert (parity["images"], parity["of"]) == (5, len(np.load(line / "data/preprocess/test/labels.npy")))


def test_a_winning_int8_ships_and_answers(line: Path) -> None:
    let_int8_win(line)
    run_export(line)
    bundle = load_bundle(line / "models/export")
    assert bundle.graph == "model.int8.onnx"
    assert list(json.loads((line / "reports/export/parity.json").read_text())["graphs"]) == ["model.onnx", bundle.graph]
    assert "`model.int8.onnx` is the one that answers. INT8 is fast." in contents(line)["MODEL_CARD.md"].decode()


def test_the_card_has_front_matter_and_its_example_runs(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = (shipped / "models/export/MODEL_CARD.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    content = yaml.safe_load(head)
    assert content["pipeline_tag"] == "image-classification"
    (result,) = content["model-index"][0]["results"]
    metrics = json.loads((shipped / "reports/evaluate/metrics.json").read_text())
    assert result["metrics"][0] == {"type": "accuracy", "name": "Accuracy", "value": metrics["test"]["accuracy"]}
    spec = load_spec(shipped / "models/train/model.json")
    for text in (*spec.classes.names, spec.data_version, spec.code_version):
        assert text in body
    monkeypatch.chdir(shipped / "models/export")
    names: dict[str, UInt8s] = {}
    exec(body.split("```python\n")[1].split("```")[0], names)
    assert names["probabilities"].shape == (1, 3)


class Reversed(nn.Module):
    """Takes blue for red."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images.flip(3))
        return logits


def wrong_mean(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, spec = load_model(line / "models/train")
    model.mean[0] += 10  # of 255
    replace_graph(line, model, spec)


def blue_for_red_in_the_graph(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, spec = load_model(line / "models/train")
    replace_graph(line, Reversed(model).eval(), spec)


def blue_for_red_in_the_decoding(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.bundle.bundle.read_pixels", lambda *arguments: read_pixels(*arguments)[..., ::-1])


def another_resize_rule(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, spec = load_model(line / "models/train")
    spec = replace(spec, preprocessing=replace(spec.preprocessing, resize="stretch"))
    spec.save(line / "models/train/model.json")
    replace_graph(line, model, spec)


def swapped_classes_in_the_model(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec(line / "models/train/model.json")
    replace(spec, classes=ClassList(spec.classes.names[::-1])).save(line / "models/train/model.json")


def swapped_classes_in_all_but_the_graph(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped_classes_in_the_model(line, monkeypatch)
    load_spec(line / "models/train/model.json").classes.save(line / "data/ingest/classes.json")
    # With this, the graph is the only part that knows better.
    path = line / "reports/evaluate/predictions.parquet"
    rename_predicted(path, {"one": "été", "été": "one", "zero": "zero"})


def swapped_classes_everywhere(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped_classes_in_the_model(line, monkeypatch)
    model, spec = load_model(line / "models/train")
    spec.classes.save(line / "data/ingest/classes.json")
    replace_graph(line, model, spec)


def rename_predicted(path: Path, names: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    renamed = pa.array([names[name] for name in table["predicted"].to_pylist()])
    pq.write_table(table.set_column(table.schema.get_field_index("predicted"), "predicted", renamed), path)


def answers_of_other_images(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = line / "data/preprocess/test/ids.npy"
    np.save(path, np.load(path)[::-1])


def int8_calibrated_on_darkness(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_int8_win(line)
    images = np.zeros_like(load_packed(line / "data/preprocess/train").images[:16])
    quantize_graph(line / "models/quantize/model.onnx", images, line / "models/quantize/model.int8.onnx")


def blue_for_red_over_http(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.v2_tensors._pixels", lambda data, shape: v2_pixels(data, shape)[..., ::-1])


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        (wrong_mean, r"model\.onnx: a probability differs by 0\.\d+, 0\.001 allowed \(at "),
        (blue_for_red_in_the_graph, r"model\.onnx: a probability differs by 0\.\d+, 0\.001 allowed \(at "),
        (blue_for_red_in_the_decoding, "11 of 11 test images come out of the bundle's preprocessing with other pixels"),
        (another_resize_rule, "11 of 11 test images come out of the bundle's preprocessing with other pixels"),
        (swapped_classes_in_the_model, "another class list.*in another order: one, été"),
        (swapped_classes_in_all_but_the_graph, r"model\.onnx was made with another class list"),
        (swapped_classes_everywhere, "was made with another class list than the bundle: 7 of 11 predictions differ"),
        (answers_of_other_images, "not, one by one, of the 11 images"),
        (
            blue_for_red_over_http,
            r"the service does not answer.*\n  - v2 UINT8: a probability differs by 0\.\d+, 0\.001 a",
        ),
        (int8_calibrated_on_darkness, r"model\.int8\.onnx: labels differ on \d+\.\d+%, 10\.00% allowed"),
    ],
)
def test_sabotage_fails_with_the_numbers_and_leaves_no_bundle(
    line: Path, monkeypatch: pytest.MonkeyPatch, sabotage: Callable[[Path, pytest.MonkeyPatch], None], says: str
) -> None:
    sabotage(line, monkeypatch)
    with pytest.raises(DarkroomError, match=says):
        run_export(line)
    assert not list((line / "models").glob("*export*"))
    assert not list((line / "reports").glob("*export*"))
