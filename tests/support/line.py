"""A line of small colour pictures, from the files to the bundle: what the tests of the last stages stand on."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_digits

from darkroom.images.manifest import read_manifest
from darkroom.runtime.arrays import Float64s
from darkroom.runtime.files import write_json
from darkroom.selection.choice import Choice, write_choice
from darkroom.settings.export import Export
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.splits.rule import SplitConfig
from stages import evaluate, export, predict, preprocess, quantize, report, split, train
from tests.conftest import ROOT, ingest_source

SETTINGS: dict[str, Any] = read_params(ROOT / "params.yaml").train.model_dump() | {
    "network": "simple_cnn", "filters": 8, "depth": 2, "dropout": 0.1, "epochs": 6, "label_smoothing": 0.0,
    "batch_size": 16, "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.0005,
    "flip": False, "shift": 0.0, "cutout": 0.0, "patience": 6, "precision": "float32",
}  # fmt: skip


def make_line(root: Path) -> Path:
    """Fill a root with images/, data/, models/ and reports/ as the whole line leaves them; float won in quantize."""
    _make_pictures(root / "images")
    run_line(root)
    report.run(root=root, pages=["train", "evaluate", "quantize"])
    return root


def run_line(root: Path, previous: Path | None = None) -> None:
    """Run the line over images/ in a root, up to the bundle.

    Args:
        root: with an inbox where it is the current folder.
        previous: the split table of the run before.
    """
    data, models, reports = root / "data", root / "models", root / "reports"
    ingest_source("folder", root / "images", root)
    (data / "validate").mkdir()
    manifest = read_manifest(data / "ingest")
    pq.write_table(pa.table({"id": manifest["id"], "group": manifest["sha256"]}), data / "validate/groups.parquet")
    split.run(
        ingest=data / "ingest",
        groups=data / "validate/groups.parquet",
        config=SplitConfig(0.2, 0.2, 0),
        fold=0,
        previous=previous,
        out=data / "split",
    )
    splits = data / "split/splits.parquet"
    preprocess.run(
        ingest=data / "ingest",
        splits=splits,
        settings=Preprocess(size=8, channels=3),
        decoder="turbo",
        cache=root / ".darkroom/cache",
        out=data / "preprocess",
    )
    model = models / "train"
    train.run(
        settings=Train(**SETTINGS),
        ingest=data / "ingest",
        splits=splits,
        arrays=data / "preprocess",
        out=model,
        reports=reports / "train",
        checkpoints=root / "states",
    )
    write_choice(Choice({}, "train.network is set", [], {}), root / "models/select")
    run_predict(root)
    run_evaluate(root)
    run_quantize(root)
    run_export(root)


def run_predict(root: Path, **changed: Any) -> None:
    """The predict stage over a root that training has filled."""
    arguments: dict[str, Any] = {
        "model": root / "models/train",
        "arrays": root / "data/preprocess",
        "ingest": root / "data/ingest",
        "splits": root / "data/split/splits.parquet",
        "out": root / "data/predict",
        "graphs": root / "models/predict",
        "gallery": 4,
        "robustness_images": 8,
    }
    predict.run(**arguments | changed)


def run_evaluate(root: Path, **changed: Any) -> None:
    """The evaluate stage over a root that predict has filled."""
    arguments: dict[str, Any] = {
        "predicted": root / "data/predict",
        "out": root / "models/evaluate",
        "reports": root / "reports/evaluate",
        "confidence": 0.95,
        "target_precision": 0.9,
        "settings": [],
        "code": "f" * 12,
    }
    evaluate.run(**arguments | changed)


def run_quantize(root: Path, **changed: Any) -> None:
    """The quantize stage over a root that `make_line` filled; float wins, since no INT8 is a thousand times as fast."""
    arguments: dict[str, Any] = {
        "model": root / "models/train",
        "graph": root / "models/predict/network.onnx",
        "calibration": root / "models/evaluate/calibration.json",
        "arrays": root / "data/preprocess",
        "out": root / "models/quantize",
        "reports": root / "reports/quantize",
        "calibration_images": 48,
        "max_accuracy_loss": 0.05,
        "min_speedup": 1000.0,
        "pruning": 0.0,
        "fine_tune_epochs": 1,
    }
    times = quantize.run(**arguments | changed)
    (root / "reports/timings").mkdir(exist_ok=True)
    measured = {"threads": 1, "batch": 32, "candidates": times}
    write_json(root / "reports/timings/quantize_latency.json", measured)


def run_export(root: Path, parity_images: int = 10_000, converter: Path | None = None, browser: bool = False) -> None:
    """The export stage over a root that `make_line` filled, without TFLite, whose conversion takes twelve seconds."""
    export.run(
        model=root / "models/train",
        selected=root / "models/select",
        calibrated=root / "models/evaluate/calibration.json",
        quantized=root / "models/quantize",
        ingest=root / "data/ingest",
        arrays=root / "data/preprocess",
        evaluated=root / "reports/evaluate",
        out=root / "models/export",
        reports=root / "reports/export",
        settings=Export(
            parity_images=parity_images,
            max_probability_difference=0.001,
            max_label_disagreement=0.1,
            tflite=converter is not None,
            browser=browser,
        ),
        calibration_images=48,
        converter=converter or Path(".venv-tflite"),
        cache=root / ".darkroom/tflite",
    )


def _make_pictures(folder: Path) -> None:
    """Class folders with 40 pictures each, 12 x 8 pixels. Red falls from left to right and blue is faint, so that another
    order of channels or another resize rule gives other pixels."""
    digits = load_digits()
    for label, name in enumerate(("zero", "one", "été")):
        (folder / name).mkdir(parents=True)
        for index, picture in enumerate(digits.images[digits.target == label][:40]):
            Image.fromarray(np.round(colours(picture)).astype(np.uint8)).save(folder / name / f"{index:02}.png")


def colours(picture: Float64s) -> Float64s:
    """A picture [12, 8, 3] in 0 to 255 of one of scikit-learn's digits."""
    grey = np.pad(picture / 16, ((0, 0), (2, 2)))
    red = 0.5 * grey + np.linspace(0.5, 0, 12)
    return np.asarray(255 * np.stack([red, grey, 0.3 * grey], axis=2), np.float64)
