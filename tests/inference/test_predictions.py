"""The table of predictions reads back as it was written, and says which model it is of."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import MANIFEST
from darkroom.inference.inputs import FACTS, SplitImages
from darkroom.inference.predictions import DamagedLogits, ModelRun, read_predictions, write_predictions
from darkroom.runtime.errors import DarkroomError

RUN = ModelRun("simple_cnn", 2, ("cat", "dog"), "c" * 64, "d" * 12, "e" * 12, "bfloat16", "grad-cam")


def split_images(labels: list[int], first: int) -> SplitImages:
    """Images of one split with a few facts."""
    count = len(labels)
    facts = {name: pa.nulls(count, MANIFEST.field(name).type) for name in FACTS}
    facts |= {"width": pa.array(range(first, first + count), pa.int32())}
    known = {
        "path": [f"{k}.png" for k in range(first, first + count)],
        "label": [RUN.classes[label] for label in labels],
        "reviewed": [k == 0 for k in range(count)],
    }
    ids = [f"{k:016x}" for k in range(first, first + count)]
    return SplitImages(np.zeros((count, 4, 4, 1), np.uint8), np.array(labels), ids, pa.table(known | facts))


SPLITS = {"test": split_images([0, 1, 1], 0), "validation": split_images([1, 0], 3), "train": split_images([0, 1], 5)}
LOGITS = {
    "test": np.array([[1, 0], [0.5, 2], [0, 1]], np.float32),
    "validation": np.array([[1, 3], [2, 1]], np.float32),
}
FOLDS = np.array([[0.9, 0.1], [0, 0]], np.float32)
DAMAGED = [
    DamagedLogits("none", 0, "as it is", np.array([0, 2]), np.array([[1, 0], [0, 1]], np.float32)),
    DamagedLogits("blur", 1, "sigma 2 px", np.array([0, 2]), np.array([[0, 1], [0, 1]], np.float32)),
]


def test_predictions_read_back_as_they_were_written(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, SPLITS, LOGITS, FOLDS, DAMAGED)
    found = read_predictions(tmp_path)
    assert found.run == RUN
    assert found.test.ids == SPLITS["test"].ids and found.test.labels.tolist() == [0, 1, 1]
    assert found.test.rows["width"].to_pylist() == [0, 1, 2]
    assert found.train.rows["path"].to_pylist() == ["5.png", "6.png"]
    assert found.validation.rows["reviewed"].to_pylist() == [True, False]
    for split, answers in (("test", LOGITS["test"]), ("validation", LOGITS["validation"]), ("train", FOLDS)):
        np.testing.assert_array_equal(getattr(found, split).answers, answers)
    assert len(found.damaged) == 2
    for read, written in zip(found.damaged, DAMAGED, strict=True):
        assert (read.kind, read.severity, read.text) == (written.kind, written.severity, written.text)
        np.testing.assert_array_equal(read.rows, written.rows)
        np.testing.assert_array_equal(read.logits, written.logits)


def test_a_row_for_each_image_and_each_damaged_copy(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, SPLITS, LOGITS, FOLDS, DAMAGED)
    rows = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert [row["split"] for row in rows] == ["test"] * 3 + ["validation"] * 2 + ["train"] * 2 + ["test"] * 4
    assert [row["damage"] for row in rows] == [None] * 7 + ["none"] * 2 + ["blur"] * 2
    assert [row["logits"] is None for row in rows] == [False] * 5 + [True] * 2 + [False] * 4
    assert rows[5]["out_of_fold"] == [pytest.approx(0.9), pytest.approx(0.1)] and rows[0]["out_of_fold"] is None
    assert rows[-1]["label"] == "dog" and rows[-1]["width"] is None


def test_without_damage_there_is_none(tmp_path: Path) -> None:
    write_predictions(tmp_path, RUN, SPLITS, LOGITS, FOLDS, [])
    assert read_predictions(tmp_path).damaged == []


def test_another_table_stops(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["aa"]}), tmp_path / "predictions.parquet")
    with pytest.raises(DarkroomError, match="does not name its model: run `dvc repro predict`"):
        read_predictions(tmp_path)
