import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.evaluation.test_split import HeldOut, open_vault
from darkroom.images.manifest import MANIFEST, write_manifest
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError

CLASSES = ClassList(("cat", "dog"))


class Line:
    """What the stages before left: four images, the second and the last of them in the test split."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ingest, self.splits, self.arrays = folder / "ingest", folder / "splits.parquet", folder / "pre"
        ids = [f"{k:016x}" for k in range(4)]
        rows = {"id": ids, "path": [f"{k}.png" for k in range(4)], "label": ["cat", "dog", "dog", "cat"]}
        unsaid = {name: [None] * 4 for name in MANIFEST.names if name not in rows}
        write_manifest(pa.table(rows | unsaid).select(MANIFEST.names).cast(MANIFEST), self.ingest)
        self.write_splits(["train", "test", "validation", "test"])
        (self.arrays / "test").mkdir(parents=True)
        np.save(self.arrays / "test" / "images.npy", np.zeros((2, 4, 4, 1), np.uint8))
        np.save(self.arrays / "test" / "labels.npy", np.array([1, 0]))
        np.save(self.arrays / "test" / "ids.npy", np.array([ids[1], ids[3]], "S16"))
        stats = {"class_hash": CLASSES.hash, "images": {"train": 1, "validation": 1, "test": 2}}
        (self.arrays / "stats.json").write_text(json.dumps(stats))

    def write_splits(self, splits: list[str]) -> None:
        ids = [f"{k:016x}" for k in range(4)]
        pq.write_table(pa.table({"id": ids, "split": splits, "group": ids}), self.splits)

    def open(self, classes: ClassList = CLASSES) -> HeldOut:
        return open_vault(self.arrays, self.ingest, self.splits, classes)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_images_come_with_their_paths(line: Line) -> None:
    held_out = line.open()
    assert held_out.paths == ["1.png", "3.png"]
    assert held_out.labels.tolist() == [1, 0]
    assert held_out.split_sizes == {"train": 1, "validation": 1, "test": 2}


def test_arrays_of_another_class_list_stop(line: Line) -> None:
    with pytest.raises(DarkroomError, match=r"stats\.json was made with another class list"):
        line.open(ClassList(("dog", "cat")))


def test_an_image_that_is_not_in_the_test_split_stops(line: Line) -> None:
    line.write_splits(["train", "test", "validation", "train"])
    with pytest.raises(DarkroomError, match=r"1 of 2 images in .* are not in the test split .* 0000000000000003"):
        line.open()


def test_a_label_that_is_not_the_manifests_stops(line: Line) -> None:
    np.save(line.arrays / "test" / "labels.npy", np.array([1, 1]))
    with pytest.raises(DarkroomError, match=r"1 of 2 labels .* the first is of 3\.png"):
        line.open()


def test_an_empty_test_split_stops(line: Line) -> None:
    np.save(line.arrays / "test" / "ids.npy", np.array([], "S16"))
    with pytest.raises(DarkroomError, match="holds no image"):
        line.open()
