"""Parquet tables that hold their images, as Hugging Face writes them."""

import json
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.sources import archive, row_groups
from darkroom.sources.table import TABLE
from tests.support.listed import listed

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(
    file: Path,
    rows: Sequence[tuple[bytes | None, str | None, Any]],
    names: list[str] | None = None,
    row_group: int = 2,
    **more: Any,
) -> Path:
    """A file with few rows in a row group."""
    images = pa.array([{"bytes": data, "path": path} for data, path, _ in rows], IMAGE)
    table = pa.table({"image": images, "label": [label for _, _, label in rows], **more})
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=row_group)
    return file


def test_one_file_with_named_labels(tmp_path: Path) -> None:
    data = [(b"one", "1.png", 1), (b"two", "2.png", 0), (b"three", "3.png", 1)]
    listing = listed(TABLE, write(tmp_path / "set.parquet", data, ["cat", "ant", "owl"]))
    assert listing.classes == ("cat", "ant", "owl")  # the owl is missing, which is for the validation to say
    assert listing.rows() == [
        ("1.png", "ant", None, b"one"), ("2.png", "cat", None, b"two"), ("3.png", "ant", None, b"three"),
    ]  # fmt: skip
    assert listing.images[0].stamp == f"crc32:{zlib.crc32(b'one'):08x}:3"
    assert listing.listing.inputs == listing.listing.files == ["set.parquet"]


def test_a_folder_with_splits_from_file_names_and_folders(tmp_path: Path) -> None:
    write(tmp_path / "data/train-00000-of-00002.parquet", [(b"a", "1.png", "x"), (b"b", None, "y")])
    write(tmp_path / "data/train-00001-of-00002.parquet", [(b"c", "1.png", "x"), (b"d", "d.png", "y")])
    write(tmp_path / "data/test-00000-of-00001.parquet", [(b"e", "1.png", "x")])
    write(tmp_path / "validation/0000.parquet", [(b"f", "../f.png", "y")])
    (tmp_path / "README.md").touch()
    listing = listed(TABLE, tmp_path)
    assert listing.rows() == [
        ("data/train-00000-of-00002/0000000-1.png", "x", "train", b"a"),
        ("data/train-00000-of-00002/0000001", "y", "train", b"b"),
        ("data/train-00001-of-00002/0000000-1.png", "x", "train", b"c"),
        ("test/1.png", "x", "test", b"e"),
        ("train/d.png", "y", "train", b"d"),
        ("validation/f.png", "y", "validation", b"f"),
    ]
    assert listing.ignored == [("README.md", "not a Parquet file")]


def test_rows_without_a_label_or_an_image(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", [(b"a", "a", 0), (b"b", "b", -1), (None, "c", 1)], ["x", "y"])
    listing = listed(TABLE, file)
    assert listing.ignored == [("b", "without a label")]
    assert [(image.path, image.stamp is None) for image in listing.images] == [("a", False), ("c", True)]
    with pytest.raises(OSError, match=r"row 3 of a\.parquet contains no image"):
        listing.bytes_of("c")


def test_a_damaged_row_group_of_images_is_named(tmp_path: Path) -> None:
    data = [(bytes([number]) * 500, f"{number}", number % 2) for number in range(6)]
    file = write(tmp_path / "a.parquet", data)
    content = bytearray(file.read_bytes())
    chunk = pq.read_metadata(file).row_group(2).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    file.write_bytes(content)
    with pytest.raises(DarkroomError, match=r"a\.parquet: row group 3 of 3 is damaged .*; fetch the file again"):
        listed(TABLE, file)


def test_labels_that_look_the_same_are_refused(tmp_path: Path) -> None:
    data = [(b"a", "1.png", "caf\xe9"), (b"b", "2.png", "cafe\u0301")]
    with pytest.raises(
        DarkroomError, match=r"(?s)differ only in .*'cafe.u0301' \(1 image, as 2\.png\), 'caf.*as 1.png"
    ):
        listed(TABLE, write(tmp_path / "a.parquet", data))


def test_group_and_timestamp_columns_count_here_too(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.parquet", [(b"a", "a", "x"), (b"b", "b", "y")], group=["g", None], split=["train", "val"]
    )
    assert [(image.split, image.group) for image in listed(TABLE, file).images] == [
        ("train", "g"),
        ("validation", None),
    ]


def test_what_can_not_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DarkroomError, match="contains no Parquet files"):
        listed(TABLE, tmp_path / "empty")
    with pytest.raises(DarkroomError, match="a label that is not among the 2 in the file's own list: row 2"):
        listed(TABLE, write(tmp_path / "a.parquet", [(b"a", "a", 0), (b"b", "b", 7)], ["x", "y"]))
    with pytest.raises(DarkroomError, match=r"has other classes than 1\.parquet"):
        write(tmp_path / "two/1.parquet", [(b"a", "a", 0)], ["x", "y"])
        write(tmp_path / "two/2.parquet", [(b"a", "a", 0)], ["y", "x"])
        listed(TABLE, tmp_path / "two")
    with pytest.raises(DarkroomError, match=r"unpacks to more than ingest\.max_unpacked_gib"):
        listed(TABLE, write(tmp_path / "b.parquet", [(bytes(1 << 16), "a", 0), (b"b", "b", 1)]), 1 << 12)
    pq.write_table(pa.table({"picture": [b"a"], "label": [1]}), tmp_path / "c.parquet")
    with pytest.raises(DarkroomError, match="has no column path; its columns are picture, label"):
        listed(TABLE, tmp_path / "c.parquet")
    table = pa.table({"image": pa.array([{"bytes": b"a"}]), "label": [0]}).replace_schema_metadata({"huggingface": "{"})
    pq.write_table(table, tmp_path / "d.parquet")
    with pytest.raises(DarkroomError, match="its Hugging Face metadata make no sense"):
        listed(TABLE, tmp_path / "d.parquet")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/train.parquet").write_bytes(b"PAR1")
    with pytest.raises(DarkroomError, match="is not a Parquet file, or is damaged"):
        listed(TABLE, tmp_path / "damaged")


@pytest.mark.parametrize(("step", "unpacked"), [(1, 0), (7, 1)])
def test_threads_read_in_the_order_of_rows_and_in_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, unpacked: int
) -> None:
    monkeypatch.setattr(row_groups, "CACHED_BYTES", 64)
    scratch = Mock(wraps=archive.scratch_file)
    monkeypatch.setattr(row_groups, "scratch_file", scratch)
    numbers = [number * step % 50 for number in range(50)]
    data = [(f"picture {number:02}".encode(), f"{number:02}.png", number % 2) for number in numbers]
    found = listed(TABLE, write(tmp_path / "a.parquet", data, row_group=10))
    assert scratch.call_count == 0
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(found.read, found.images * 4))
    assert read == [f"picture {image.path.removesuffix('.png')}".encode() for image in found.images] * 4
    assert scratch.call_count == unpacked


@settings(max_examples=40)
@given(st.lists(st.tuples(st.none() | st.binary(max_size=5), st.none() | st.text(max_size=3)), min_size=2, max_size=9))
def test_every_row_has_a_name_of_its_own_and_its_own_bytes(pairs: list[tuple[bytes | None, str | None]]) -> None:
    data = [(content, path, number % 2) for number, (content, path) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as scratch:
        found = listed(TABLE, write(Path(scratch) / "train.parquet", data))
        assert len({image.path for image in found.images}) == len(data)
        assert sorted(found.read(image) for image in found.images if image.stamp) == sorted(
            content for content, _ in pairs if content is not None
        )


def small_tables() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        held = write(Path(scratch) / "a", [(bytes([number]) * 9, f"{number}", number % 2) for number in range(5)])
        paths = pa.table(
            {"path": ["a", "b", "c"], "label": [0, 1, 0], "timestamp": pa.array([0, 1, 2], pa.timestamp("us"))}
        )
        pq.write_table(paths, Path(scratch) / "b")
        csv = b"path,label,split,timestamp\na,0,train,2026-01-01\nb,1,test,5\n"
        return {"held": held.read_bytes(), "paths": (Path(scratch) / "b").read_bytes(), "table.csv": csv}


SMALL = small_tables()


@given(
    st.sampled_from(sorted(SMALL)), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=3), st.integers(0)
)
def test_no_damage_to_a_table_is_a_crash(name: str, changes: list[tuple[int, int]], end: int) -> None:
    content = bytearray(SMALL[name])
    for at, byte in changes:
        content[at % len(content)] = byte
    if end % 3 == 0:
        del content[end % len(content) :]
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / name).write_bytes(content)
        try:
            found = listed(TABLE, Path(scratch) / name)
        except DarkroomError:
            return
        for image in found.images:
            try:
                found.read(image)
            except OSError as error:
                assert str(error)
