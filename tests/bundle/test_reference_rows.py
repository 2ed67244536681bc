"""The rows that the monitor ranks."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.bundle.bundle import load_bundle
from darkroom.bundle.reference_rows import (
    REFERENCE_ROWS,
    in_steps,
    project,
    read_reference_rows,
    write_reference_rows,
)
from darkroom.images.pack import load_packed
from darkroom.runtime.errors import DarkroomError


def write(folder: Path, images: int = 50, features: int | None = 6) -> bytes:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), images).astype(np.float32)
    made = None if features is None else rng.normal(size=(images, features)).astype(np.float32)
    write_reference_rows(
        folder, probabilities, rng.integers(0, 4, images), rng.uniform(size=(images, 7)).astype(np.float32), made
    )
    return (folder / REFERENCE_ROWS).read_bytes()


def test_the_same_rows_give_the_same_bytes_and_come_back(tmp_path: Path) -> None:
    assert write(tmp_path / "a") == write(tmp_path / "b")
    found = read_reference_rows(tmp_path / "a")
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 50).astype(np.float32)
    features = rng.normal(size=(50, 6)).astype(np.float32)
    np.testing.assert_array_equal(found.probabilities, in_steps(probabilities))
    np.testing.assert_array_equal(found.projections, project(features, found.directions))
    assert found.confusion.sum() == 50
    assert found.confusion[found.labels[0]].sum() == (found.labels == found.labels[0]).sum()


def test_a_graph_without_features_has_no_projections(tmp_path: Path) -> None:
    write(tmp_path, features=None)
    found = read_reference_rows(tmp_path)
    assert np.isnan(found.projections).all()
    assert found.directions.shape == (0, 3)


def test_a_bundle_has_those_of_its_validation_images(shipped: Path) -> None:
    bundle = load_bundle(shipped / "models/export")
    found = read_reference_rows(shipped / "models/export")
    packed = load_packed(shipped / "data/preprocess/validation")
    np.testing.assert_array_equal(found.labels, packed.labels)
    np.testing.assert_allclose(found.probabilities, bundle.predict(np.asarray(packed.images)), atol=1e-4)
    assert found.properties[:, 2].tolist() == [1.5] * len(packed.ids)


def test_without_or_with_damaged_rows_there_is_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"has no reference.npz, which the monitor compares with"):
        read_reference_rows(tmp_path)
    (tmp_path / REFERENCE_ROWS).write_bytes(b"PK damaged")
    with pytest.raises(DarkroomError, match="take an unchanged copy of the bundle"):
        read_reference_rows(tmp_path)
