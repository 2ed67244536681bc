"""Every kind of source by its name, and the files that each consists of."""

import io
import shutil
import tarfile
import typing
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.sections import Ingest
from darkroom.sources.registry import detect_kind, list_source, source_files
from tests.sources.test_folder_and_archive import PACKINGS, ROOM, tarred, zipped


def test_digits_are_the_ones_scikit_learn_has() -> None:
    listing = list_source("digits", Path("nowhere"), None, 0)
    assert len(listing.images) == 1797
    assert listing.classes == tuple("0123456789")
    assert np.asarray(Image.open(io.BytesIO(listing.images[0].read()))).shape == (8, 8)
    assert listing.images[0].label == "0"


@pytest.mark.parametrize("kind", typing.get_args(Ingest.model_fields["source"].annotation))
def test_every_kind_in_the_settings_is_known_and_says_when_nothing_is_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "digits":
        return
    with pytest.raises(DarkroomError, match="there is no"):
        list_source(kind, tmp_path / "gone", tmp_path / "gone", ROOM)


@pytest.mark.parametrize("kind", ["folder", "imagenet", "table"])
def test_a_survey_of_nothing_says_so(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="there is no"):
        source_files(kind, tmp_path / "gone", None)


def test_the_files_of_a_folder_are_its_images_under_their_names(digit_folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "wrapping" / "images"
    shutil.copytree(digit_folder, images)
    (images / "one/.hidden").touch()
    (images / "one/broken.png").symlink_to("nowhere")
    (images / "one/linked.png").symlink_to(images / "two/00.png")
    files = source_files("folder", tmp_path, None)
    listing = list_source("folder", tmp_path, None, 0)
    assert files == [(image.path, str(image.file)) for image in listing.images]
    assert ("one/linked.png", f"{images}/one/linked.png") in files


def test_the_file_of_an_archive_is_itself_unopened(digit_folder: Path, tmp_path: Path) -> None:
    for kind, file in (
        ("zip", zipped(digit_folder, tmp_path / "a.zip")),
        ("tar", tarred(digit_folder, tmp_path / "a.tar")),
    ):
        file.write_bytes(file.read_bytes()[:100])
        assert source_files(kind, file, None) == [(file.name, str(file))]


def test_the_files_of_tables(digit_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"path,label\n{digit_folder}/one/00.png,one\ngone.png,two\n")
    assert source_files("table", table, None) == [
        (f"{digit_folder}/one/00.png", f"{digit_folder}/one/00.png"),
        ("gone.png", f"{tmp_path}/gone.png"),
        ("table.csv", str(table)),
    ]
    image = pa.array([{"bytes": b"x", "path": "a"}])
    held = tmp_path / "held"
    (held / "data").mkdir(parents=True)
    pq.write_table(pa.table({"image": image, "label": [0]}), held / "data/train.parquet")
    assert source_files("table", held, None) == [("data/train.parquet", f"{held}/data/train.parquet")]
    alone = held / "data/train.parquet"
    assert source_files("table", alone, None) == [("train.parquet", str(alone))]


def test_the_files_of_imagenet_include_the_lists_that_it_was_read_by(tmp_path: Path) -> None:
    for path in ("train/n01440764/a.JPEG", "train/n02012849/b.JPEG", "val/c.JPEG", "other.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "val.txt").write_text("c.JPEG n01440764\n")
    (tmp_path / "words.txt").write_text("n01440764\ttench\n")
    assert [name for name, _ in source_files("imagenet", tmp_path, None)] == [
        "train/n01440764/a.JPEG", "train/n02012849/b.JPEG", "val.txt", "val/c.JPEG", "words.txt",
    ]  # fmt: skip


def test_data_sets_that_have_a_name_consist_of_no_files(tmp_path: Path) -> None:
    for kind in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100"):
        assert source_files(kind, tmp_path, tmp_path) == []


def test_archives_by_what_is_in_them_under_any_name(digit_folder: Path, tmp_path: Path) -> None:
    for packing in PACKINGS:
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            tar = tarred(digit_folder, tmp_path / f"a.{packing}", form).rename(tmp_path / "pictures")
            assert detect_kind(tar) == "tar"
    archive = zipped(digit_folder, tmp_path / "a.zip").rename(tmp_path / "pictures")
    assert detect_kind(archive) == "zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert detect_kind(archive) == "zip"


def test_a_tar_that_holds_a_zip_is_a_tar(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with zipfile.ZipFile(tmp_path / "cat/a.zip", "w"):
        pass
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "cat", "cat")
    assert detect_kind(tmp_path / "a.tar") == "tar"


def test_tables_and_folders_of_them(tmp_path: Path) -> None:
    (tmp_path / "t.CSV").touch()
    assert detect_kind(tmp_path / "t.CSV") == "table"
    for folder in ("flat", "deep/data"):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"a": [1]}), tmp_path / folder / "train.parquet")
        assert detect_kind(tmp_path / folder / "train.parquet") == "table"
        assert detect_kind(tmp_path / folder.partition("/")[0]) == "table"
    (tmp_path / "flat/a.png").touch()
    assert detect_kind(tmp_path / "flat") == "folder"


def test_folders(digit_folder: Path, tmp_path: Path) -> None:
    assert detect_kind(digit_folder) == "folder"
    for name in ("n01440764", "n02012849", ".cache"):
        (tmp_path / "train" / name).mkdir(parents=True)
    assert detect_kind(tmp_path) == detect_kind(tmp_path / "train") == "imagenet"


def test_what_is_nothing_of_that_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(DarkroomError, match=r"notes.txt is a file, and neither a zip, a tar .* nor a Parquet table"):
        detect_kind(tmp_path / "notes.txt")
    with pytest.raises(DarkroomError, match=r"there is no .*gone"):
        detect_kind(tmp_path / "gone")
