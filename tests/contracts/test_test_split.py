"""The test split is a vault: what selects, stops, calibrates or quantizes gives the same whatever is in it."""

import shutil
from pathlib import Path

import numpy as np

from tests.stages.test_train import run, weights
from tests.support.packed import read_images, write_images


def test_training_does_not_look_at_the_test_split(prepared: Path, tmp_path: Path) -> None:
    root = tmp_path / "other"
    shutil.copytree(prepared, root)
    tested = root / "data/preprocess/test"
    write_images(tested, 255 - read_images(tested))
    labels = np.load(root / "data/preprocess/test/labels.npy")
    np.save(root / "data/preprocess/test/labels.npy", labels[::-1])
    one = weights(run(prepared, tmp_path / "one", epochs=2))
    assert weights(run(root, tmp_path / "two", epochs=2)) == one
