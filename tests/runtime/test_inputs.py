"""What earlier stages wrote: a damaged file is named, with the stage that makes it and what to do."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.runtime.inputs import damaged, read_input_json, read_input_slices, read_input_table
from darkroom.sources.listing import survey_ranges
from tests.support.packed import write_images


def test_the_message_has_the_file_the_fault_and_the_stage() -> None:
    assert str(damaged(Path("/tmp/x/data/ingest/manifest/a.parquet"), "why")) == (
        "/tmp/x/data/ingest/manifest/a.parquet is damaged, or of another version (why): "
        "remove data/ingest, and `dvc repro ingest` makes it again"
    )
    assert str(damaged(Path("a.json"), "")).endswith("a.json is damaged, or of another version (empty): make it again")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(200) + b"PAR1", None])
def test_a_damaged_table(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "data/split/splits.parquet"
    path.parent.mkdir(parents=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(
        DarkroomError, match=r"splits\.parquet is damaged.*remove data/split, and `dvc repro split` makes it"
    ):
        read_input_table(path)


def test_a_table_without_a_column_and_one_that_is_not_there(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "t.parquet")
    assert read_input_table(tmp_path / "t.parquet", ["id"]).to_pydict() == {"id": ["a"]}
    with pytest.raises(DarkroomError, match=r"t\.parquet is damaged, or of another version \(.*split"):
        read_input_table(tmp_path / "t.parquet", ["id", "split"])
    with pytest.raises(FileNotFoundError):
        read_input_table(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1', "Expecting"),
        ("[1]", "list in place of an object"),
        ("{}", "has no a"),
        ('{"a": "1"}', "a is str"),
        ("[" * 100_000, "recursion"),
        ("\udcff", "can't decode byte 0xff"),
    ],
)
def test_a_damaged_json(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "models/quantize/verdict.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(
        DarkroomError, match=rf"verdict\.json is damaged.*{reason}.*`dvc repro quantize` makes it again"
    ):
        read_input_json(path, {"a": int})
    path.write_text(json.dumps({"a": 1, "b": 2}))
    assert read_input_json(path, {"a": int}) == {"a": 1, "b": 2}


def test_readers_of_folders(tmp_path: Path) -> None:
    for folder, make in (("data/ingest", "manifest"), ("data/preprocess", "train"), ("data/survey", "")):
        (tmp_path / folder / make).mkdir(parents=True)
    (tmp_path / "data/ingest/manifest/0.parquet").write_bytes(b"PAR1")
    with pytest.raises(DarkroomError, match=r"manifest/0\.parquet is damaged.*dvc repro ingest"):
        read_manifest(tmp_path / "data/ingest")
    (tmp_path / "data/preprocess/train/labels.npy").write_bytes(b"\x93NUMPY")
    np.save(tmp_path / "data/preprocess/train/ids.npy", np.zeros(3))
    write_images(tmp_path / "data/preprocess/train", np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(DarkroomError, match=r"data/preprocess/train is damaged.*dvc repro preprocess"):
        load_packed(tmp_path / "data/preprocess/train")
    write_json(tmp_path / "data/survey/receipt.json", {"ranges": [{"name": "0"}]})
    with pytest.raises(DarkroomError, match=r"data/survey is damaged, or of another version \(.*dvc repro survey"):
        survey_ranges(tmp_path / "data/survey")


@pytest.mark.parametrize("row_group", [1, 2, 3, 100])
def test_a_table_in_slices_is_the_table_whatever_its_row_groups(row_group: int, tmp_path: Path) -> None:
    path = tmp_path / "data/split/splits.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": [*"abcdefg"], "more": range(7)}), path, row_group_size=row_group)

    def slices(*lengths: int) -> list[str]:
        return ["".join(each["id"].to_pylist()) for each in read_input_slices(path, ["id"], lengths)]

    assert slices(3, 0, 1, 3) == ["abc", "", "d", "efg"]
    assert slices(2, 4) == ["ab", "cdefg"] and slices(5, 4) == ["abcde", "fg"] and slices(7, 1) == ["abcdefg", ""]
    with pytest.raises(DarkroomError, match=r"splits.parquet is damaged, .*label.*remove data/split"):
        list(read_input_slices(path, ["id", "label"], [7]))
