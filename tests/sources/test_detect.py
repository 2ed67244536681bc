"""What lies at a path is recognised by what it is."""

import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.detect import kind_of
from tests.sources.test_folder_and_archive import PACKINGS, tarred, zipped


def test_archives_by_what_is_in_them_under_any_name(digit_folder: Path, tmp_path: Path) -> None:
    for packing in PACKINGS:
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            tar = tarred(digit_folder, tmp_path / f"a.{packing}", form).rename(tmp_path / "pictures")
            assert kind_of(tar) == "tar"
    archive = zipped(digit_folder, tmp_path / "a.zip").rename(tmp_path / "pictures")
    assert kind_of(archive) == "zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert kind_of(archive) == "zip"


def test_a_tar_that_holds_a_zip_is_a_tar(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with zipfile.ZipFile(tmp_path / "cat/a.zip", "w"):
        pass
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "cat", "cat")
    assert kind_of(tmp_path / "a.tar") == "tar"


def test_tables_and_folders_of_them(tmp_path: Path) -> None:
    (tmp_path / "t.CSV").touch()
    assert kind_of(tmp_path / "t.CSV") == "table"
    for folder in ("flat", "deep/data"):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"a": [1]}), tmp_path / folder / "train.parquet")
        assert kind_of(tmp_path / folder / "train.parquet") == "table"
        assert kind_of(tmp_path / folder.partition("/")[0]) == "table"
    (tmp_path / "flat/a.png").touch()
    assert kind_of(tmp_path / "flat") == "folder"


def test_folders(digit_folder: Path, tmp_path: Path) -> None:
    assert kind_of(digit_folder) == "folder"
    for name in ("n01440764", "n02012849", ".cache"):
        (tmp_path / "train" / name).mkdir(parents=True)
    assert kind_of(tmp_path) == kind_of(tmp_path / "train") == "imagenet"


def test_what_is_nothing_of_that_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(DarkroomError, match=r"notes.txt is a file, and neither a zip, a tar .* nor a Parquet table"):
        kind_of(tmp_path / "notes.txt")
    with pytest.raises(DarkroomError, match=r"there is no .*gone"):
        kind_of(tmp_path / "gone")
