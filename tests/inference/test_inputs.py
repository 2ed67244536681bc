import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import MANIFEST
from darkroom.inference.inputs import SplitImages, open_splits
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError
from tests.support.manifests import write_manifest
from tests.support.packed import write_images

CLASSES = ClassList(("cat", "dog"))
SPLITS = ["train", "test", "validation", "test"]


class Line:
    """What the stages before left: four images, the second and the last of them in the test split."""

    def __init__(self, folder: Path) -> None:
        self.ingest, self.splits, self.arrays = folder / "ingest", folder / "splits.parquet", folder / "pre"
        self.ids = [f"{k:016x}" for k in range(4)]
        rows: dict[str, list[object]] = {
            "id": [*self.ids],
            "path": [f"{k}.png" for k in range(4)],
            "label": ["cat", "dog", "dog", "cat"],
        }
        rows["width"] = [10, 20, 30, 40]
        others = {name: [None] * 4 for name in MANIFEST.names if name not in rows}
        write_manifest(pa.table(rows | others).select(MANIFEST.names).cast(MANIFEST), self.ingest)
        pq.write_table(pa.table({"path": pa.array(["3.png"], pa.string())}), self.ingest / "fixes.parquet")
        self.write_splits(SPLITS)
        for split, members, labels in (("train", [0], [0]), ("validation", [2], [1]), ("test", [1, 3], [1, 0])):
            self.pack(split, members, labels)
        stats = {"class_hash": CLASSES.hash, "images": {"train": 1, "validation": 1, "test": 2}}
        (self.arrays / "stats.json").write_text(json.dumps(stats))

    def write_splits(self, splits: list[str]) -> None:
        pq.write_table(pa.table({"id": self.ids, "split": splits, "group": self.ids}), self.splits)

    def pack(self, split: str, members: list[int], labels: list[int]) -> None:
        folder = self.arrays / split
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "labels.npy", np.array(labels, np.int64))
        np.save(folder / "ids.npy", np.array([self.ids[k] for k in members], "S16"))
        write_images(folder, np.zeros((len(members), 4, 4, 1), np.uint8))

    def open(self, classes: ClassList = CLASSES) -> dict[str, SplitImages]:
        return open_splits(self.arrays, self.ingest, self.splits, classes)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_images_come_with_what_the_manifest_knows_of_them(line: Line) -> None:
    opened = line.open()
    assert list(opened) == ["test", "validation", "train"]
    test = opened["test"]
    assert test.ids == [line.ids[1], line.ids[3]] and test.labels.tolist() == [1, 0]
    assert test.facts["path"].to_pylist() == ["1.png", "3.png"] and test.facts["width"].to_pylist() == [20, 40]
    assert test.facts["reviewed"].to_pylist() == [False, True]


def test_arrays_of_another_class_list_stop(line: Line) -> None:
    with pytest.raises(DarkroomError, match=r"stats\.json was made with another class list"):
        line.open(ClassList(("dog", "cat")))


def test_an_image_that_is_not_in_its_split_stops(line: Line) -> None:
    line.write_splits(["train", "test", "validation", "train"])
    with pytest.raises(DarkroomError, match=r"1 of 2 images in .*test are not in the test split .* 0000000000000003"):
        line.open()
    line.write_splits(["test", "test", "validation", "test"])
    with pytest.raises(DarkroomError, match=r"1 of 1 images in .*train are not in the train split .* 0000000000000000"):
        line.open()


def test_a_label_that_is_not_the_manifests_stops(line: Line) -> None:
    line.pack("test", [1, 3], [1, 1])
    with pytest.raises(DarkroomError, match=r"1 of 2 labels .* the first is of 3\.png"):
        line.open()


def test_an_empty_test_split_stops(line: Line) -> None:
    line.pack("test", [], [])
    with pytest.raises(DarkroomError, match="holds no image"):
        line.open()
