"""The drift reference."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darkroom.bundle import drift_reference
from darkroom.bundle.bundle import load_bundle
from darkroom.bundle.drift_reference import summary, write_drift_reference
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.model.classes import load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import load_calibration
from tests.support.packed import write_images


@given(arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_histogram_holds_every_value_once(numbers: np.ndarray) -> None:
    found = summary(numbers)
    edges = np.array(found["edges"])
    assert sum(found["counts"]) == len(numbers)
    assert len(edges) == len(found["counts"]) + 1
    assert (np.diff(edges) >= 0).all()
    assert edges[[0, -1]].astype(np.float32).tolist() == [numbers.min(), numbers.max()]
    assert found["mean"] == pytest.approx(numbers.astype(np.float64).mean(), rel=1e-5, abs=1e-5)


def test_bins_hold_as_many_each_where_values_allow() -> None:
    counts = summary(np.random.default_rng(0).normal(size=2000))["counts"]
    assert len(counts) == 20
    assert min(counts) >= 99 and max(counts) <= 101


def test_it_is_about_validation_images_and_the_graph_that_predicts(shipped: Path) -> None:
    bundle = load_bundle(shipped / "models/export")
    found = json.loads((shipped / "models/export/reference.json").read_text())
    packed = load_packed(shipped / "data/preprocess/validation")
    images = len(packed.ids)
    assert (found["images"], found["of"], found["graph"]) == (images, images, bundle.graph)
    predictions = bundle.predict(np.asarray(packed.images))
    confidence = predictions.max(axis=1).astype(np.float64)
    assert found["confidence"]["mean"] == pytest.approx(confidence.mean(), abs=1e-5)
    threshold = bundle.calibration.threshold
    assert found["abstained"] == pytest.approx((confidence < (threshold or 0)).mean(), abs=1e-5)
    for side, labels in (("labelled", packed.labels), ("predicted", predictions.argmax(axis=1))):
        shares = np.bincount(labels, minlength=3) / images
        assert [each[side] for each in found["classes"]] == pytest.approx(shares.tolist(), abs=1e-5)
    assert [each["name"] for each in found["classes"]] == ["one", "zero", "été"]
    assert len(found["embedding"]["mean"]) == len(found["embedding"]["std"]) == found["embedding"]["size"]
    manifest = read_manifest(shipped / "data/ingest", ["id", "brightness"]).to_pydict()
    brightness = dict(zip(manifest["id"], manifest["brightness"], strict=True))
    mean = np.mean([brightness[image_id.decode()] for image_id in packed.ids])
    assert found["properties"]["brightness"]["mean"] == pytest.approx(mean, rel=1e-4)
    assert found["properties"]["aspect"]["edges"] == [1.5, 1.5]


def write(shipped: Path, arrays: Path, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(shipped / "models/export/model.onnx", folder / "model.onnx")
    bundle, ingest = shipped / "models/export", shipped / "data/ingest"
    classes, calibration = load_classes(bundle / "classes.json"), load_calibration(bundle / "calibration.json")
    write_drift_reference(folder, "model.onnx", classes, calibration, ingest, arrays)
    return (folder / "reference.json").read_bytes()


def test_of_very_many_images_an_even_sample_and_always_the_same_bytes(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_reference, "IMAGES", 9)
    arrays = shipped / "data/preprocess/validation"
    first = write(shipped, arrays, tmp_path / "a")
    assert first == write(shipped, arrays, tmp_path / "b")
    found = json.loads(first)
    assert 5 <= found["images"] <= 9 < found["of"]


def test_no_validation_image_is_a_message(shipped: Path, tmp_path: Path) -> None:
    packed = load_packed(shipped / "data/preprocess/validation")
    for name in ("labels", "ids"):
        np.save(tmp_path / f"{name}.npy", getattr(packed, name)[:0])
    write_images(tmp_path, packed.images[:0])
    with pytest.raises(DarkroomError, match=r"raise split\.validation"):
        write(shipped, tmp_path, tmp_path)
