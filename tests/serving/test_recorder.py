"""What is done about an answer after it has left: measured as ingest measures, logged in order, and never in its way."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.images.manifest import read_manifest
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.prediction_log import read_prediction_log
from darkroom.monitoring.properties import properties
from darkroom.monitoring.rows import PROPERTIES
from darkroom.predict.answers import Prediction, predict_pixels
from serving import recorder as module
from serving.metrics import Metrics
from serving.model import LoadedModel
from serving.recorder import Recorder
from serving.request_id import request_id
from tests.conftest import ingest_source
from tests.support.packed import read_images
from tests.support.tiny_bundle import make_bundle


def no_limit(_: object) -> AbstractContextManager[None]:
    return nullcontext()


@pytest.fixture(scope="module")
def model(shipped: Path) -> LoadedModel:
    return LoadedModel(load_bundle(shipped / "models/export"), "b" * 64, datetime.now(UTC))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def log(tmp_path: Path, metrics: Metrics) -> PredictionLog:
    return PredictionLog(tmp_path / "log", 1 << 20, metrics.log_rows)


def predict(model: LoadedModel, data: bytes, name: str = "") -> Prediction:
    (found,) = predict_pixels(model.bundle, [name], [model.bundle.pixels(data)])
    return found


def rows(tmp_path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = pa.concat_tables(read_prediction_log(tmp_path / "log")).to_pylist()
    return found


def test_each_answer_is_a_row_with_what_ingest_measured_of_the_same_file(
    shipped: Path, tmp_path: Path, model: LoadedModel, metrics: Metrics, log: PredictionLog
) -> None:
    manifest = read_manifest(shipped / "data/ingest").to_pylist()[::9]
    recorder = Recorder(metrics, log, False, no_limit)
    for each in manifest:
        data = (shipped / "images" / each["path"]).read_bytes()
        request_id.set(each["id"])
        recorder.record(predict(model, data), model, each["sha256"], data)
    request_id.set("")
    recorder.close()
    found = rows(tmp_path)
    hashed = LogKey(tmp_path / "log").hash
    assert [row["request"] for row in found] == [hashed(each["id"]) for each in manifest]
    for row, each in zip(found, manifest, strict=True):
        assert row["image"] == hashed(each["sha256"])
        for name in set(PROPERTIES) - {"aspect"}:
            assert row[name] == pytest.approx(each[name], rel=1e-6), name
        assert row["aspect"] == pytest.approx(each["width"] / each["height"], rel=1e-6)
    assert metrics.registry.get_sample_value("darkroom_image_width_count") == len(manifest)
    assert metrics.registry.get_sample_value("darkroom_log_rows_total", {"result": "written"}) == len(manifest)


@pytest.mark.parametrize("size", [28, 224])
def test_a_photograph_that_the_network_gets_reduced_is_measured_as_ingest_does(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "photographs/a"
    folder.mkdir(parents=True)
    (tmp_path / "photographs/b").mkdir()
    noise = np.random.default_rng(0).normal(0, 40, (500, 700, 3))
    waves = 128 + 60 * np.sin(np.arange(700) / 9)[None, :, None]
    Image.fromarray((waves + noise).clip(0, 255).astype(np.uint8)).save(folder / "large.jpg", quality=90)
    Image.new("RGB", (40, 30), "navy").save(tmp_path / "photographs/b/small.png")
    manifest = {row["path"]: row for row in read_manifest(ingest_source("folder", folder.parent, tmp_path)).to_pylist()}
    bundle = load_bundle(make_bundle(tmp_path / "bundle", size=size, channels=3))
    for path, row in manifest.items():
        found = properties((folder.parent / path).read_bytes(), bundle.preprocessing)
        for name, value in found.items():
            assert value == pytest.approx(row.get(name, row["width"] / row["height"]), rel=1e-6), (path, name)


def test_features_are_those_of_the_drift_reference(
    shipped: Path, tmp_path: Path, model: LoadedModel, metrics: Metrics, log: PredictionLog
) -> None:
    reference = json.loads((shipped / "models/export/reference.json").read_text())["embedding"]
    images = read_images(shipped / "data/preprocess/validation")
    recorder = Recorder(metrics, log, True, no_limit)
    for found in predict_pixels(model.bundle, [""] * len(images), list(images)):
        recorder.record(found, model, "a" * 64, None)
    recorder.close()
    features = np.array([row["features"] for row in rows(tmp_path)])
    np.testing.assert_allclose(features.mean(axis=0), reference["mean"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), reference["std"], rtol=1e-4, atol=1e-5)
    assert all(row[name] is None for row in rows(tmp_path) for name in PROPERTIES)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Measuring waits until this is set."""
    event = threading.Event()
    yield event
    event.set()


def test_what_comes_too_fast_is_not_measured_then_dropped_and_counted(
    tmp_path: Path, model: LoadedModel, metrics: Metrics, log: PredictionLog,
    stuck: threading.Event, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (26, 26, 3), np.uint8)).save(file, "PNG")
    data = file.getvalue()
    found = predict(model, data)
    row = module.CLASS_BYTES * (3 + 8)
    monkeypatch.setattr(module, "MOST_HELD", 10 * row)
    monkeypatch.setattr(module, "ROWS", 1)
    assert 2 * len(data) < 10 * row < 6 * len(data) < 25 * row

    entered = threading.Event()

    def wait(_: object) -> AbstractContextManager[None]:
        entered.set()
        stuck.wait(30)
        return nullcontext()

    recorder = Recorder(metrics, log, False, wait)
    recorder.record(found, model, "b" * 64, data)
    assert entered.wait(30)
    for _ in range(25):
        recorder.record(found, model, "a" * 64, data)
    stuck.set()
    recorder.close()
    first, *written = rows(tmp_path)
    assert first["image"] == LogKey(tmp_path / "log").hash("b" * 64) and first["width"] == 26
    measured = [each for each in written if each["width"] is not None]
    assert len(written) == 10 and measured == written[: 10 * row // len(data)]
    assert metrics.registry.get_sample_value("darkroom_log_rows_total", {"result": "dropped"}) == 15


def test_a_service_that_ends_writes_what_waits_and_measures_no_longer(
    tmp_path: Path, model: LoadedModel, metrics: Metrics, log: PredictionLog,
    shipped: Path, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "LAST_SECONDS", -1.0)
    monkeypatch.setattr(module, "ROWS", 1)
    data = (shipped / "images/zero/00.png").read_bytes()
    entered = threading.Event()

    def wait(_: object) -> AbstractContextManager[None]:
        entered.set()
        stuck.wait(30)
        return nullcontext()

    recorder = Recorder(metrics, log, True, wait)
    for _ in range(4):
        recorder.record(predict(model, data), model, "a" * 64, data)
    assert entered.wait(30)
    threading.Timer(0.1, stuck.set).start()
    recorder.close()
    found = rows(tmp_path)
    assert [each["width"] is None for each in found] == [False, True, True, True]
    assert all(each["features"] is None for each in found[1:])


def test_without_a_log_a_sample_is_measured_for_the_metrics(
    shipped: Path, model: LoadedModel, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 3600.0)
    data = (shipped / "images/zero/00.png").read_bytes()
    recorder = Recorder(metrics, None, False, no_limit)
    for _ in range(5):
        recorder.record(predict(model, data), model, "a" * 64, data)
    recorder.close()
    assert metrics.registry.get_sample_value("darkroom_image_brightness_count") == 1
    assert metrics.registry.get_sample_value("darkroom_image_bytes_sum") == len(data)


def test_a_fault_over_one_row_does_not_end_the_log(
    shipped: Path, tmp_path: Path, model: LoadedModel, metrics: Metrics, log: PredictionLog,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    data = (shipped / "images/zero/00.png").read_bytes()
    found = predict(model, data)
    recorder = Recorder(metrics, log, False, no_limit)
    done = threading.Event()

    def fail(*_: object) -> None:
        done.set()
        raise RuntimeError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(log, "write", fail)
        recorder.record(found, model, "a" * 64, data)
        assert done.wait(30)
    recorder.record(found, model, "c" * 64, data)
    recorder.close()
    assert [row["image"] for row in rows(tmp_path)] == [LogKey(tmp_path / "log").hash("c" * 64)]
    assert "1 row of the prediction log failed" in caplog.text and "a bug" in caplog.text


def test_rows_of_two_models_keep_their_classes(tmp_path: Path, metrics: Metrics, log: PredictionLog) -> None:
    bundles: list[Bundle] = [
        load_bundle(make_bundle(tmp_path / name, classes=classes))
        for name, classes in (("one", ("bright", "dark", "été")), ("two", ("a", "b")))
    ]
    models = [LoadedModel(bundle, str(n) * 64, datetime.now(UTC)) for n, bundle in enumerate(bundles)]
    recorder = Recorder(metrics, log, False, no_limit)
    pixels = np.zeros((8, 8, 1), np.uint8)
    for n in (0, 1, 0, 1, 1):
        (found,) = predict_pixels(models[n].bundle, [""], [pixels])
        recorder.record(found, models[n], "a" * 64, None)
    recorder.close()
    found_rows = rows(tmp_path)
    assert [str(row["bundle"])[0] for row in found_rows] == ["0", "1", "0", "1", "1"]
    assert [len(row["probabilities"]) for row in found_rows] == [3, 2, 3, 2, 2]  # type: ignore[arg-type]
