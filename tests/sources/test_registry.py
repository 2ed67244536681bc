"""Every kind of source by its name, and the files that each consists of."""

import io
import shutil
import tarfile
import typing
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.images.manifest import read_manifest
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.ingest import Ingest
from darkroom.sources.registry import SOURCE_KINDS, detect_kind
from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind, as_png
from tests.conftest import ingest_source
from tests.sources.test_folder_and_archive import PACKINGS, tarred, zipped
from tests.support.listed import listed


def test_digits_are_the_ones_scikit_learn_has() -> None:
    found = listed(SOURCE_KINDS["digits"], Path("nowhere"))
    assert len(found.images) == 1797
    assert found.classes == tuple("0123456789")
    assert np.asarray(Image.open(io.BytesIO(found.read(found.images[0])))).shape == (8, 8)
    assert found.images[0].label == "0"


def test_the_settings_know_every_kind() -> None:
    assert sorted(typing.get_args(Ingest.model_fields["source"].annotation)) == sorted(SOURCE_KINDS)


@pytest.mark.parametrize("name", SOURCE_KINDS)
def test_every_kind_says_when_nothing_is_there(name: str, tmp_path: Path) -> None:
    if name != "digits":
        with pytest.raises(DarkroomError, match="there is no"):
            listed(SOURCE_KINDS[name], tmp_path / "gone", root=tmp_path / "gone")


def test_a_kind_is_used_once_it_is_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text file with a label and a grey value on each line, which is the side of a picture's pixels, too."""

    def lines(location: Location) -> list[list[str]]:
        return [line.split() for line in location.path.read_text().splitlines()]

    def list_values(location: Location) -> Listing:
        name = location.path.name
        images = [SourceImage(f"{row:03}", label, None, name, (row,)) for row, (label, _) in enumerate(lines(location))]
        return Listing(("dark", "light"), images, [], [name])

    def read_values(location: Location, images: Sequence[SourceImage]) -> Reader:
        values = [int(value) for _, value in lines(location)]
        return lambda image: as_png(np.full((9, 9), values[(image.place or (0,))[0]], np.uint8))

    kind = SourceKind(
        "values",
        detect=lambda path: path.suffix == ".values",
        files=lambda location: [location.path.name],
        list=list_values,
        reader=read_values,
    )
    monkeypatch.setitem(SOURCE_KINDS, "values", kind)
    source = tmp_path / "grey.values"
    source.write_text("dark 10\nlight 200\ndark 20\n")
    assert detect_kind(source) == "values"
    manifest = read_manifest(ingest_source("values", source, tmp_path), ["path", "label", "brightness"])
    assert manifest["path"].to_pylist() == ["000", "001", "002"]
    assert manifest["label"].to_pylist() == ["dark", "light", "dark"]
    np.testing.assert_allclose(manifest["brightness"], [10 / 255, 200 / 255, 20 / 255], atol=1e-6)


def test_the_files_of_a_folder_are_its_images(digit_folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "wrapping" / "images"
    shutil.copytree(digit_folder, images)
    (images / "one/.hidden").touch()
    (images / "one/broken.png").symlink_to("nowhere")
    found = listed(SOURCE_KINDS["folder"], tmp_path)
    assert found.listing.files == [f"wrapping/images/{image.path}" for image in found.images]
    assert "wrapping/images/one/broken.png" in found.listing.files and len(found.images) == 121


def test_the_files_of_archives_are_found_without_opening_them(tmp_path: Path) -> None:
    for kind in ("zip", "tar"):
        assert SOURCE_KINDS[kind].files(Location(tmp_path / f"a.{kind}", None, 0)) == [f"a.{kind}"]
    for kind in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100"):
        assert SOURCE_KINDS[kind].files(Location(tmp_path, tmp_path, 0)) == []


def test_the_files_of_tables(digit_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"path,label\n{digit_folder}/one/00.png,one\ngone.png,two\n")
    kind = SOURCE_KINDS["table"]
    assert kind.files(Location(table, None, 0)) is None
    assert listed(kind, table).listing.files == [f"{digit_folder}/one/00.png", "gone.png", "table.csv"]
    image = pa.array([{"bytes": b"x", "path": "a"}])
    folder = tmp_path / "tables"
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.table({"image": image, "label": [0]}), folder / "data/train.parquet")
    assert kind.files(Location(folder, None, 0)) == ["data/train.parquet"]
    assert kind.files(Location(folder / "data/train.parquet", None, 0)) == ["train.parquet"]


def test_the_files_of_imagenet_include_the_lists_that_it_was_read_by(tmp_path: Path) -> None:
    for path in ("train/n01440764/a.JPEG", "train/n02012849/b.JPEG", "val/c.JPEG", "other.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "val.txt").write_text("c.JPEG n01440764\n")
    (tmp_path / "words.txt").write_text("n01440764\ttench\n")
    assert sorted(listed(SOURCE_KINDS["imagenet"], tmp_path).listing.files) == [
        "train/n01440764/a.JPEG", "train/n02012849/b.JPEG", "val.txt", "val/c.JPEG", "words.txt",
    ]  # fmt: skip


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
    with zipfile.ZipFile(tmp_path / "t.XLSX", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", "")
    (tmp_path / "t.tsv").write_text("path\tlabel\n")
    with pytest.raises(DarkroomError, match=r"t.XLSX is a spreadsheet: save its sheet as CSV in UTF-8"):
        detect_kind(tmp_path / "t.XLSX")
    with pytest.raises(DarkroomError, match=r"t.tsv is divided by tabs"):
        detect_kind(tmp_path / "t.tsv")
