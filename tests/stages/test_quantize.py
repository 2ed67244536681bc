"""The quantize stage: what it writes, which candidates it makes, what wins, and that it never looks at the test split."""

import html
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkroom.compression import scores
from darkroom.compression.benchmark import Speed
from darkroom.compression.int8 import Int8
from darkroom.compression.parity import Parity, compare
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.intervals import wilson
from darkroom.statistics.temperature import load_calibration
from stages import quantize
from tests.support.line import run_quantize
from tests.support.packed import read_images, write_images


@pytest.fixture
def line(shipped: Path, tmp_path: Path) -> Path:
    """A copy of the line without what quantize writes."""
    root = tmp_path / "line"
    shutil.copytree(shipped, root, ignore=shutil.ignore_patterns("images", "quantize", "export"))
    return root


def contents(root: Path) -> dict[str, bytes]:
    """All tracked files that the stage wrote, and not the page."""
    folders = (root / "models/quantize", root / "reports/quantize")
    files = {f"{folder.parent.name}/{path.name}": path.read_bytes() for folder in folders for path in folder.iterdir()}
    files.pop("reports/index.html", None)
    return files


def decision_of(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "models/quantize/verdict.json").read_text())
    return content


def settle(monkeypatch: pytest.MonkeyPatch, **ratios: float) -> None:
    """Let the benchmark end with these ratios, whatever the machine, and measure no memory; all others are as fast as float."""

    def benchmark(sessions: Mapping[str, object], *_: object) -> dict[str, Speed]:
        found = {name: ratios.get(name, 1.0) for name in sessions}
        return {name: Speed(1 / ratio, 1.0, 1.0, ratio, ratio - 0.1, ratio + 0.1, 25) for name, ratio in found.items()}

    monkeypatch.setattr(quantize, "benchmark", benchmark)
    monkeypatch.setattr("darkroom.compression.scores.peak_memory", lambda graph, _: 1_000_000)


@pytest.fixture
def exported(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the graph of the line for every export of a fine-tuned network: each would cost a second."""

    def copy(network: object, spec: object, path: Path, temperature: float) -> None:
        shutil.copyfile(shipped / "models/quantize/model.onnx", path)

    monkeypatch.setattr("darkroom.inference.export.export_graph", copy)


def test_it_writes_graphs_verdict_and_metrics(shipped: Path) -> None:
    files = contents(shipped)
    assert sorted(files) == [
        "models/model.int8.onnx",
        "models/model.onnx",
        "models/verdict.json",
        "reports/metrics.json",
    ]
    assert len(files["models/model.int8.onnx"]) < len(files["models/model.onnx"])
    metrics, decision = json.loads(files["reports/metrics.json"]), decision_of(shipped)
    images = metrics["images"]
    assert images == len(np.load(shipped / "data/preprocess/validation/labels.npy"))
    for name, file in (("float", "model.onnx"), ("int8", "model.int8.onnx")):
        found, told = metrics["validation"][name], decision["candidates"][name]
        low, high = wilson(round(found["accuracy"] * images), images, 0.95)
        assert (found["accuracy_low"], found["accuracy_high"]) == pytest.approx((float(low), float(high)), abs=1e-6)
        assert metrics["bytes"][name] == told["bytes"] == len(files[f"models/{file}"])
        assert told["file"] == file
        assert told.items() >= found.items()
    accuracies = [metrics["validation"][name]["accuracy"] for name in ("float", "int8")]
    assert metrics["validation"]["int8"]["accuracy_loss"] == pytest.approx(accuracies[0] - accuracies[1], abs=1e-5)
    assert (decision["choice"], decision["graph"]) == ("float", "model.onnx")
    assert decision["candidates"]["float"]["refused"] is None
    page = html.unescape((shipped / "reports/quantize/index.html").read_text(encoding="utf-8"))
    assert f"It {decision['candidates']['int8']['refused']}." in page


def test_the_graph_gives_calibrated_probabilities(shipped: Path, line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from darkroom.inference.session import open_session

    settle(monkeypatch)
    path = line / "models/evaluate/calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"temperature": 3.0}))
    run_quantize(line)
    told = [
        open_session(root / "models/quantize" / name).get_modelmeta().custom_metadata_map["temperature"]
        for root in (shipped, line)
        for name in ("model.onnx", "model.int8.onnx")
    ]
    before = repr(load_calibration(shipped / "models/evaluate/calibration.json").temperature)
    assert told == [before, before, "3.0", "3.0"]


def test_twice_gives_the_same_bytes_and_calibration_never_sees_the_test_split(
    shipped: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is measured: the decision says nothing of times."""
    settle(monkeypatch, int8=3.0)
    shutil.rmtree(line / "data/preprocess/test")
    run_quantize(line)
    assert contents(line) == contents(shipped)


@pytest.mark.usefixtures("exported")
def test_other_training_images_give_other_ranges(shipped: Path, line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)
    train = line / "data/preprocess/train"
    write_images(train, read_images(train) // 4)
    run_quantize(line)
    name = "models/model.int8.onnx"
    assert contents(line)[name] != contents(shipped)[name]


@pytest.mark.parametrize(
    ("ratio", "choice", "says"),
    [(2.0, "int8", "is at least 1.5 times as fast as float here and"), (1.55, "float", "is not at least 1.5 times")],
)
@pytest.mark.usefixtures("exported")
def test_int8_wins_only_when_its_speed_is_settled(
    line: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ratio: float,
    choice: str,
    says: str,
) -> None:
    settle(monkeypatch, int8=ratio)
    # 22 validation images can't settle a loss below some 10 points.
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.2)
    decision = decision_of(line)
    assert decision["choice"] == choice
    assert decision["graph"] == decision["candidates"][choice]["file"]
    assert says in decision["reason"]
    assert f"decision: {choice}. {decision['reason']}." in capsys.readouterr().out


@pytest.mark.usefixtures("exported")
def test_too_few_images_to_tell_the_loss_keep_float(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, int8=9.0)
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.005)
    decision = decision_of(line)
    assert decision["candidates"]["int8"]["accuracy_loss"] <= 0
    assert decision["choice"] == "float"
    assert "22 validation images can't show less than" in decision["reason"]
    assert list(decision["candidates"]) == ["float", "int8"], "better INT8 would have cost time to no end"
    assert list(decision["calibrators"]) == ["minmax"]
    assert decision["not_made"].startswith("no better INT8 was made: 22 validation images can't show less than")


def ruin_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calibration see darkness: the gate must catch what it does, whatever the calibrator."""
    monkeypatch.setattr(
        "darkroom.compression.candidates.Int8", lambda graph, images, folder: Int8(graph, np.zeros_like(images), folder)
    )


def as_of_many(reference: np.ndarray, other: np.ndarray, labels: np.ndarray) -> Parity:
    """As if there were a thousand times as many validation images."""
    found = compare(reference, other, labels)
    counts = ("images", "correct_before", "correct_after", "only_before", "only_after")
    return Parity(**vars(found) | {name: 1000 * getattr(found, name) for name in counts})


@pytest.mark.parametrize(("fixes", "trained"), [("int8_mixed", []), ("int8_trained", [3])])
@pytest.mark.usefixtures("exported")
def test_an_inaccurate_int8_is_refused_and_a_better_one_is_made(
    line: Path, monkeypatch: pytest.MonkeyPatch, fixes: str, trained: list[int]
) -> None:
    settle(monkeypatch, int8=9.0, int8_mixed=2.0, int8_trained=2.0)
    ruin_calibrated(monkeypatch)
    monkeypatch.setattr(scores, "compare", as_of_many)
    monkeypatch.setattr(quantize, "least_loss_high", lambda images: 0.0001)
    monkeypatch.setattr(scores, "least_loss_high", lambda images: 0.0001)
    if trained:
        monkeypatch.setattr("darkroom.compression.candidates.sensitive_layers", lambda *_: None)
    asked = []

    def fine_tune(network: object, train: object, epochs: int, seed: int) -> object:
        asked.append(epochs)
        return network

    monkeypatch.setattr("darkroom.compression.quantization_aware.quantization_aware", fine_tune)
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.05, fine_tune_epochs=3)
    decision = decision_of(line)
    refused = decision["candidates"]["int8"]
    assert refused["accuracy_loss"] > 0.1
    assert "points of validation accuracy, at most" in refused["refused"]
    assert asked == trained
    assert (decision["choice"], decision["graph"]) == (fixes, f"model.{fixes}.onnx")
    assert list(decision["candidates"]) == ["float", "int8", fixes]
    assert (line / "models/quantize" / decision["graph"]).is_file()


@pytest.mark.usefixtures("exported")
def test_a_pruned_network_joins_as_float_and_as_int8(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, int8=2.0, pruned=1.9, pruned_int8=4.0)
    asked = []

    def prune(network: object, spec: object, share: float, train: object, epochs: int, seed: int) -> object:
        asked.append((share, epochs))
        return load_model(line / "models/train")[0]

    monkeypatch.setattr("darkroom.compression.pruning.prune", prune)
    run_quantize(line, min_speedup=1.5, max_accuracy_loss=0.2, pruning=0.5, fine_tune_epochs=2)
    decision = decision_of(line)
    assert asked == [(0.5, 2)]
    assert list(decision["candidates"]) == ["float", "int8", "pruned", "pruned_int8"]
    assert (decision["choice"], decision["graph"]) == ("pruned_int8", "model.pruned_int8.onnx")
    assert decision["candidates"]["int8"]["refused"] == "is inside the limits, but Pruned INT8 is faster"
    assert decision["candidates"]["pruned"]["made"] == "50% of the channels removed, then 2 epochs of fine-tuning"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no validation images", "holds no image"),
        ("failure while measuring", "measuring failed"),
        ("no calibration", r"calibration\.json.*dvc repro evaluate"),
        ("too few answers", r"answers to 1 of .* validation images: run `dvc repro predict`"),
    ],
)
@pytest.mark.usefixtures("exported")
def test_nothing_is_left_when_it_fails(line: Path, monkeypatch: pytest.MonkeyPatch, fault: str, says: str) -> None:
    def fail(*_: Any) -> None:
        raise DarkroomError("measuring failed")

    if fault == "no validation images":
        validation = line / "data/preprocess/validation"
        for name in ("labels", "ids"):
            np.save(validation / f"{name}.npy", np.load(validation / f"{name}.npy")[:0])
        write_images(validation, read_images(validation)[:0])
    elif fault == "too few answers":
        answers = line / "models/predict/validation.npy"
        np.save(answers, np.load(answers)[:1])
    elif fault == "no calibration":
        (line / "models/evaluate/calibration.json").unlink()
    else:
        monkeypatch.setattr(quantize, "benchmark", fail)
    with pytest.raises(DarkroomError, match=says):
        run_quantize(line)
    assert not list((line / "models").glob("*quantize*"))
    assert not list((line / "reports").glob("*quantize*"))
