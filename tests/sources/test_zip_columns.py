"""A zip as columns is what its entries one by one are, and anything out of the ordinary is left to these."""

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from darkroom.sources import zip_archive
from darkroom.sources.source import Location
from darkroom.sources.zip_archive import ZipReader, list_zip
from darkroom.sources.zip_columns import zip_columns


def location(path: Path) -> Location:
    return Location(path, None, 1 << 30)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A zip with folders, a junk file, names of several scripts, and two methods."""
    path = tmp_path / "plain.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("pile")
        for number in range(40):
            method = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            archive.writestr(f"pile/{('cat', 'ö')[number % 3 % 2]}/{39 - number:02}.png", b"x" * number, method)
        archive.writestr("pile/cat/Thumbs.db", b"1")
        archive.writestr("pile/empty/", b"")
    return path


def test_columns_are_what_the_entries_are(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = zip_columns(location(plain))
    assert found is not None
    columns = found.listing([plain.name])
    monkeypatch.setattr(zip_archive, "zip_columns", lambda location: None)
    assert columns == list_zip(location(plain))
    assert len(columns.images) == 40 and len(columns.ignored) == 2


def test_lengths_of_64_bits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("cat/1.png", "dog/1.png"):
            archive.writestr(name, b"12345")
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\1\2")
    # The first record says that its length and packed length are in the extra field.
    content[start + 20 : start + 28] = b"\xff" * 8
    content[start + 30 : start + 32] = struct.pack("<H", 20)
    content[start + 46 + 9 : start + 46 + 9] = struct.pack("<HHQQ", 1, 16, 5, 5)
    end = content.index(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<L", struct.unpack("<L", content[end + 12 : end + 16])[0] + 20)
    path.write_bytes(content)
    found = zip_columns(location(path))
    assert found is not None and [image.place[2:4] for image in found.listing().images if image.place] == [(5, 5)] * 2


def _entry(name: str, mode: int = 0, data: bytes = b"1") -> Callable[[zipfile.ZipFile], None]:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return lambda archive: archive.writestr(info, data)


@pytest.mark.parametrize(
    "entry",
    [
        _entry("../cat/1.png"),
        _entry("/cat/1.png"),
        _entry("C:/cat/1.png"),
        _entry("cat\\\\1.png"),
        _entry("./cat/2.png"),
        _entry("cat//2.png"),
        _entry("cat/link.png", stat.S_IFLNK | 0o777),
        _entry("cat/folder", stat.S_IFDIR | 0o755),
        _entry("cat/full/", 0, b"12"),
        _entry("pile/cat/00.png"),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_entries(
    entry: Callable[[zipfile.ZipFile], None], plain: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with zipfile.ZipFile(plain, "a") as archive:
        entry(archive)
        if archive.filelist[-1].filename == "pile/cat/00.png":
            entry(archive)
    assert zip_columns(location(plain)) is None


def test_damage_is_left_to_the_entries(plain: Path) -> None:
    content = plain.read_bytes()
    for wrong in (b"before" + content, content[: len(content) // 2], b"", content.replace(b"PK\1\2", b"PK\1\3", 1)):
        plain.write_bytes(wrong)
        assert zip_columns(location(plain)) is None
    assert zip_columns(location(plain.with_name("none.zip"))) is None


def test_an_entry_of_a_rarer_method_that_zipfile_places_elsewhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name in ("cat/1.png", "dog/1.png"):
            archive.writestr(name, b"12345")
    content = path.read_bytes()
    start = content.index(b"PK\1\2")
    path.write_bytes(content[:start] + bytes(30) + content[start:])
    found = zip_columns(location(path))
    assert found is not None
    with pytest.raises(OSError, match="no entry where the directory says"):
        ZipReader(path).read(found.listing().images[0])
