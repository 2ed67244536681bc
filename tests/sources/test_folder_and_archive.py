"""Folders and zips: the same listing from both, nothing written to either, and every kind of bad input named."""

import os
import zipfile
from pathlib import Path

import pytest

from darkroom.errors import DarkroomError
from darkroom.sources.archive import list_zip
from darkroom.sources.folder import list_folder


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, Path("wrapped") / path.relative_to(folder))
    return target


def test_the_same_from_both(digit_folder: Path, tmp_path: Path) -> None:
    folder, archive = list_folder(digit_folder), list_zip(zipped(digit_folder, tmp_path / "digits.zip"))
    assert folder.classes == archive.classes == ("one", "two", "zero")
    assert [(i.path, i.label, i.read()) for i in folder.images] == [(i.path, i.label, i.read()) for i in archive.images]


def test_links_to_folders_are_named_not_followed(digit_folder: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path)
    found = list_folder(tmp_path)
    assert [(item.path, item.reason) for item in found.ignored] == [("cat/loop", "a link to a folder, not followed")]
    assert len(found.images) == 2


def test_places_that_are_not_what_they_should_be(digit_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"not a zip")
    for call, path, message in [
        (list_folder, tmp_path / "gone", "there is no folder"),
        (list_zip, tmp_path / "gone", "there is no file"),
        (list_folder, file, "is a file, not a folder"),
        (list_zip, digit_folder, "is a folder, not a zip"),
        (list_zip, file, "is not a zip file"),
        (list_folder, tmp_path / "empty", "no class folders"),
    ]:
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(DarkroomError, match=message):
            call(path)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("cat"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DarkroomError, match=r"cat can't be listed: Permission denied"):
        list_folder(tmp_path)


@pytest.mark.parametrize("name", ["../a.png", "cat/../../a.png", "/etc/a.png", "C:/a.png", "cat\\..\\..\\a.png"])
def test_a_zip_that_climbs_out_is_refused_whole(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("cat/a.png", b"x")
        archive.writestr("dog/a.png", b"x")
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(DarkroomError, match=r"climbs out.*nothing was read"):
        list_zip(tmp_path / "bad.zip")


def test_links_encryption_and_doubles_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = 0o120777 << 16
    encrypted = zipfile.ZipInfo("cat/secret.png")
    cases: list[tuple[zipfile.ZipInfo | str, str]] = [
        (link, "is a symbolic link"),
        (encrypted, "is encrypted"),
        ("dog/a.png", "twice"),
    ]
    for entry, message in cases:
        path = tmp_path / "bad.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("dog/a.png", b"x")
            if entry == "dog/a.png":
                with pytest.warns(UserWarning, match="Duplicate name"):
                    archive.writestr("dog/a.png", b"y")
            else:
                archive.writestr(entry, b"x")
        if entry is encrypted:
            content = path.read_bytes()
            at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
            path.write_bytes(content[: at + 8] + b"\x01" + content[at + 9 :])
        with pytest.raises(DarkroomError, match=message):
            list_zip(path)


def test_a_damaged_entry_is_that_images_fault_alone(digit_folder: Path, tmp_path: Path) -> None:
    path = zipped(digit_folder, tmp_path / "digits.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"one/05.png") + 15
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    images = {image.path: image for image in list_zip(path).images}
    with pytest.raises(OSError, match="damaged in the archive"):
        images["one/05.png"].read()
    assert images["one/06.png"].read()[:4] == b"\x89PNG"
