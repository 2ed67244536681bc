"""The quantize stage: what it writes, when INT8 wins, and that it never looks at the test split."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkroom.compression.latency import Race, Speed
from darkroom.errors import DarkroomError
from darkroom.scoring.intervals import wilson
from stages import quantize
from tests.shipped import run_quantize


@pytest.fixture
def line(shipped: Path, tmp_path: Path) -> Path:
    """A copy of the line without what quantize writes."""
    root = tmp_path / "line"
    shutil.copytree(shipped, root, ignore=shutil.ignore_patterns("images", "quantize", "export"))
    return root


def contents(root: Path) -> dict[str, bytes]:
    """All tracked files that the stage wrote."""
    folders = (root / "models/quantize", root / "reports/quantize")
    return {f"{folder.parent.name}/{path.name}": path.read_bytes() for folder in folders for path in folder.iterdir()}


def settle(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    """Let the race end with this ratio, whatever the machine."""
    speed = Speed(1.0, 1.0, 1.0)
    result = Race(speed, speed, ratio, ratio - 0.1, ratio + 0.1, rounds=25)
    monkeypatch.setattr(quantize, "race", lambda *_: result)


def test_it_writes_graphs_verdict_and_metrics(shipped: Path) -> None:
    files = contents(shipped)
    assert sorted(files) == [
        "models/model.int8.onnx",
        "models/model.onnx",
        "models/verdict.json",
        "reports/metrics.json",
    ]
    assert len(files["models/model.int8.onnx"]) < len(files["models/model.onnx"])
    metrics = json.loads(files["reports/metrics.json"])
    found, images = metrics["validation"], metrics["validation"]["images"]
    assert images == len(np.load(shipped / "data/preprocess/validation/labels.npy"))
    for name in ("float", "int8"):
        low, high = wilson(round(found[f"{name}_accuracy"] * images), images, 0.95)
        assert found[f"{name}_accuracy_low"] == pytest.approx(float(low), abs=1e-6)
        assert found[f"{name}_accuracy_high"] == pytest.approx(float(high), abs=1e-6)
        graph = {"float": "model.onnx", "int8": "model.int8.onnx"}[name]
        assert metrics["bytes"][name] == len(files[f"models/{graph}"])
    assert found["accuracy_loss"] == pytest.approx(found["float_accuracy"] - found["int8_accuracy"], abs=1e-5)


def test_twice_gives_the_same_bytes_and_calibration_never_sees_the_test_split(shipped: Path, line: Path) -> None:
    for name in ("images", "labels", "ids"):
        (line / f"data/preprocess/test/{name}.npy").unlink()
    run_quantize(line)
    assert contents(line) == contents(shipped)


def test_other_training_images_give_other_ranges(shipped: Path, line: Path) -> None:
    path = line / "data/preprocess/train/images.npy"
    np.save(path, np.load(path) // 4)
    run_quantize(line)
    name = "models/model.int8.onnx"
    assert contents(line)[name] != contents(shipped)[name]


@pytest.mark.parametrize(
    ("ratio", "choice", "says"),
    [(2.0, "int8", "is at least 1.5 times as fast as float here and"), (1.55, "float", "is not at least 1.5 times")],
)
def test_int8_wins_only_when_its_speed_is_settled(
    line: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ratio: float,
    choice: str,
    says: str,
) -> None:
    settle(monkeypatch, ratio)
    # 22 validation images can't settle a loss below some 10 points.
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.2)
    verdict = json.loads((line / "models/quantize/verdict.json").read_text())
    assert verdict["choice"] == choice
    assert says in verdict["reason"]
    printed = capsys.readouterr().out
    assert f"verdict: {choice}. {verdict['reason']}." in printed


def ruin(graph: Path, images: np.ndarray, target: Path) -> None:
    """Quantization that goes wrong: calibrated on darkness."""
    from darkroom.compression.int8 import quantize_graph

    quantize_graph(graph, np.zeros_like(images), target)


def test_an_inaccurate_int8_is_refused_however_fast(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, 9.0)
    monkeypatch.setattr(quantize, "quantize_graph", ruin)
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.005)
    verdict = json.loads((line / "models/quantize/verdict.json").read_text())
    assert verdict["choice"] == "float"
    assert "points of validation accuracy, at the most" in verdict["reason"]
    assert verdict["validation"]["accuracy_loss"] > 0.1


def test_too_few_images_to_tell_the_loss_keep_float(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, 9.0)
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.005)
    verdict = json.loads((line / "models/quantize/verdict.json").read_text())
    assert verdict["validation"]["accuracy_loss"] <= 0
    assert verdict["choice"] == "float"


@pytest.mark.parametrize("fault", ["no validation images", "failure while measuring"])
def test_nothing_is_left_when_it_fails(line: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def fail(*_: Any) -> Race:
        raise DarkroomError("measuring failed")

    if fault == "no validation images":
        for path in (line / "data/preprocess/validation").iterdir():
            np.save(path, np.load(path)[:0])
    else:
        monkeypatch.setattr(quantize, "race", fail)
    with pytest.raises(
        DarkroomError, match="holds no image" if fault == "no validation images" else "measuring failed"
    ):
        run_quantize(line)
    assert not list((line / "models").glob("*quantize*"))
    assert not list((line / "reports").glob("*quantize*"))
