"""Folders, zips and tars: the same listing from all, nothing written to any, and every kind of bad input named."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.folder import FOLDER
from darkroom.sources.source import SourceKind
from darkroom.sources.tar_archive import TAR
from darkroom.sources.zip_archive import ZIP
from tests.support.listed import Source, listed

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.compress,
}


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, Path("wrapped") / path.relative_to(folder))
    return target


def tarred(folder: Path, target: Path, form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar as `tar -C folder -cf target .` makes it, packed as its suffixes say."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        archive.add(folder, ".")
    target.write_bytes(PACKINGS[target.name.partition(".")[2]](content.getvalue()))
    return target


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_same_from_all(digit_folder: Path, tmp_path: Path, packing: str) -> None:
    folder = listed(FOLDER, digit_folder)
    from_zip = listed(ZIP, zipped(digit_folder, tmp_path / "digits.zip"))
    from_tar = listed(TAR, tarred(digit_folder, tmp_path / f"digits.{packing}"))
    assert folder.classes == from_zip.classes == from_tar.classes == ("one", "two", "zero")
    assert folder.rows() == from_zip.rows() == from_tar.rows()
    assert [image.stamp for image in from_zip.images] == [image.stamp for image in from_tar.images]
    assert folder.images[0].file == "one/00.png" and len(folder.listing.files) == 120
    assert from_zip.listing.inputs == from_zip.listing.files == ["digits.zip"]


def test_an_empty_class_folder_is_named_alike(digit_folder: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(digit_folder, tree)
    (tree / "empty/deep").mkdir(parents=True)
    (tree / "pipes").mkdir()
    os.mkfifo(tree / "pipes/a.png")
    found = listed(FOLDER, tree).ignored
    assert found == [
        ("empty", "an empty folder"),
        ("pipes", "a folder without images"),
        ("pipes/a.png", "a pipe, a socket or a device"),
    ]
    shutil.rmtree(tree / "pipes")
    for listing in (listed(ZIP, zipped(tree, tmp_path / "a.zip")), listed(TAR, tarred(tree, tmp_path / "a.tar"))):
        assert [(path.removeprefix("wrapped/"), reason) for path, reason in listing.ignored] == found[:1]


def content(kind: SourceKind, path: Path) -> object:
    """All that must be the same for one tree, or nothing where it is refused."""
    try:
        found = listed(kind, path)
    except DarkroomError:
        return None
    return found.classes, found.rows(), len(found.ignored)


PART = st.sampled_from(["train", "Test", "val", "cat", "dog", ".x", "Thumbs.db", "ä ö.png"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="/\\:\0"), min_size=1, max_size=5
).filter(lambda part: part not in (".", ".."))


@settings(max_examples=40)
@given(
    st.sets(st.lists(PART, min_size=1, max_size=4).map("/".join), min_size=1, max_size=8),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
@example({"train/\x80\n", "cat/train"}, tarfile.PAX_FORMAT)
@example(
    {f"{'long ' * 40}/{'deep' * 30}/{number}{'ä' * 90}.png" for number in range(3)} | {"cat/a"}, tarfile.GNU_FORMAT
)
@example(
    {f"{'long ' * 40}/{'deep' * 30}/{number}{'ä' * 90}.png" for number in range(3)} | {"cat/a"}, tarfile.PAX_FORMAT
)
def test_any_tree_of_names_is_listed_alike(paths: set[str], form: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tree"
        for path in sorted(paths):
            file = folder / path
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(path.encode())
            except OSError:
                return  # a file and a folder of one name, which no disk contains
        archive, tar = zipped(folder, Path(scratch) / "a.zip"), tarred(folder, Path(scratch) / "a.tar", form)
        found = [content(FOLDER, folder), content(ZIP, archive), content(TAR, tar)]
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("suffix", "kind"), [("zip", ZIP), ("tar", TAR), ("tar.gz", TAR)])
def test_many_threads_read_one_archive(digit_folder: Path, tmp_path: Path, suffix: str, kind: SourceKind) -> None:
    pack = zipped if suffix == "zip" else tarred
    found = listed(kind, pack(digit_folder, tmp_path / f"a.{suffix}"))
    images = found.images * 5
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(found.read, images))
    assert read == [(digit_folder / image.path).read_bytes() for image in images]


def test_links_loops_and_pipes_are_named_not_followed(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"a")
    (tmp_path / "cat/loop").symlink_to(tmp_path)
    (tmp_path / "cat/linked.png").symlink_to(tmp_path / "dog/a.png")
    (tmp_path / "cat/broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "cat/circle.png").symlink_to(tmp_path / "cat/circle.png")
    os.mkfifo(tmp_path / "dog/pipe.png")
    (tmp_path / "dog/to-pipe.png").symlink_to(tmp_path / "dog/pipe.png")
    found = listed(FOLDER, tmp_path)
    assert dict(found.ignored) == {
        "cat/loop": "a link to a folder, not followed",
        "dog/pipe.png": "a pipe, a socket or a device",
        "dog/to-pipe.png": "a link to a pipe, a socket or a device",
    }
    assert found.bytes_of("cat/linked.png") == b"a"
    for broken in ("cat/broken.png", "cat/circle.png"):
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            found.bytes_of(broken)
    assert len(found.images) == 5


def test_a_link_in_the_place_of_a_class_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    for name in ("away", "set/cat", "set/dog"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.png").write_bytes(b"a")
    (tmp_path / "set/owl").symlink_to(tmp_path / "away")
    found = listed(FOLDER, tmp_path / "set")
    assert found.classes == ("cat", "dog")
    ((path, reason),) = found.ignored
    assert path == "owl"
    assert reason.startswith(
        "a link where a class folder would be, not followed: put the folder itself there, as cp -rL"
    )
    shutil.rmtree(tmp_path / "set/dog")
    (tmp_path / "set/dog").symlink_to(tmp_path / "away")
    with pytest.raises(
        DarkroomError, match=r"only one class, 'cat'.* Links to folders are not followed \(dog, owl\): put"
    ):
        listed(FOLDER, tmp_path / "set")


def test_a_url_is_no_place(tmp_path: Path) -> None:
    for kind in (FOLDER, ZIP, TAR):
        with pytest.raises(
            DarkroomError, match=r"there is no .*http:/x\.org/a.*; this is a URL, and only files are read"
        ):
            listed(kind, Path("http://x.org/a"))


def test_a_name_that_is_not_utf8_is_named_and_not_taken(tmp_path: Path) -> None:
    for name in (b"cat/a.png", b"dog/b.png", b"cat/caf\xe9.png"):
        file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        file.parent.mkdir(exist_ok=True)
        try:
            file.write_bytes(b"")
        except OSError:
            pytest.skip("this file system takes only UTF-8")
    tar = tarred(tmp_path, tmp_path.parent / f"{tmp_path.name}.tar")
    for found in (listed(FOLDER, tmp_path), listed(TAR, tar)):
        assert found.ignored == [("cat/caf\\xe9.png", "its name is not in UTF-8: rename it")]
        assert len(found.images) == 2


def test_places_that_are_not_what_they_should_be(digit_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"neither a zip nor a tar" * 100)
    (tmp_path / "empty").mkdir()
    whole = zipped(digit_folder, tmp_path / "whole.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])

    for kind, path, message in [
        (FOLDER, tmp_path / "gone", "there is no folder"),
        (ZIP, tmp_path / "gone", "there is no file"),
        (TAR, tmp_path / "gone", "there is no file"),
        (FOLDER, file, "is a file, not a folder"),
        (ZIP, digit_folder, "is a folder, not a zip"),
        (TAR, digit_folder, "is a folder, not a tar"),
        (ZIP, file, "is not a zip file"),
        (TAR, file, "is not a tar file"),
        (ZIP, tmp_path / "cut.zip", "is not a zip file, or is cut short"),
        (FOLDER, tmp_path / "empty", "no class folders"),
    ]:
        with pytest.raises(DarkroomError, match=message):
            listed(kind, path)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_tar_cut_short_says_so(digit_folder: Path, tmp_path: Path, packing: str, share: float) -> None:
    path = tarred(digit_folder, tmp_path / f"a.{packing}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DarkroomError, match="is not a tar file, or is cut short or damaged"):
        listed(TAR, path)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat").mkdir()
    opens = os.open

    def refuse(path: str, *how: int) -> int:
        if str(path).rstrip("/").endswith("cat"):
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *how)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DarkroomError, match=r"cat can't be listed: Permission denied"):
        listed(FOLDER, tmp_path)


def hostile_zip(path: Path, entry: tarfile.TarInfo) -> Source:
    mode = {tarfile.SYMTYPE: 0o120777, tarfile.CHRTYPE: 0o020666, tarfile.FIFOTYPE: 0o010666}
    info = zipfile.ZipInfo(entry.name)
    info.external_attr = mode.get(entry.type, 0o100644) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/a.png", b"x")
        archive.writestr("dog/a.png", b"x")
        archive.writestr(info, b"x")
    return listed(ZIP, path)


def hostile_tar(path: Path, entry: tarfile.TarInfo) -> Source:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("cat/a.png", "dog/a.png"):
            archive.addfile(tarfile.TarInfo(name))
        archive.addfile(entry)
    path.write_bytes(gzip.compress(content.getvalue()))
    return listed(TAR, path)


@pytest.mark.parametrize("open_hostile", [hostile_zip, hostile_tar])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_do_what_they_should_not_are_refused_whole(
    tmp_path: Path, open_hostile: Callable[[Path, tarfile.TarInfo], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)  # nothing may be written
    climbing = ("../a.png", "cat/../../a.png", "/etc/a.png", "C:/a.png", "cat\\..\\..\\a.png")
    for name, message in {
        **dict.fromkeys(climbing, "climbs out"),
        "dog/a.png": "twice",
        "./dog//a.png": "twice",
    }.items():
        with pytest.raises(DarkroomError, match=rf"{message}.*nothing was taken"):
            open_hostile(tmp_path / "bad", tarfile.TarInfo(name))
    for kind, message in {
        tarfile.SYMTYPE: "is a link",
        tarfile.LNKTYPE: "is a link",
        tarfile.CHRTYPE: "is a device",
        tarfile.FIFOTYPE: "is a pipe",
        tarfile.GNUTYPE_SPARSE: "sparse",
    }.items():
        if open_hostile is hostile_zip and kind in (tarfile.LNKTYPE, tarfile.GNUTYPE_SPARSE):
            continue  # a zip has none
        entry = tarfile.TarInfo("cat/odd.png")
        entry.type = kind
        with pytest.raises(DarkroomError, match=message):
            open_hostile(tmp_path / "bad", entry)


def test_encryption_and_strange_methods_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    for offset, byte, message in [(8, 1, "is encrypted"), (10, 93, "packed by method 93")]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("cat/secret.png", b"x")
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + offset] = byte
        path.write_bytes(content)
        with pytest.raises(DarkroomError, match=message):
            listed(ZIP, path)


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    for name in ("cat", "dog"):
        (bomb / name).mkdir(parents=True)
        (bomb / name / "a.png").write_bytes(bytes(1 << 20))
    for pack, kind, suffix in [
        (zipped, ZIP, "zip"),
        (tarred, TAR, "tar.gz"),
        (tarred, TAR, "tar.zst"),
    ]:
        path = pack(bomb, tmp_path / f"a.{suffix}")
        assert path.stat().st_size < 1 << 14
        with pytest.raises(DarkroomError, match=r"ingest\.max_unpacked_gib.*raise the limit"):
            listed(kind, path, 1 << 20)
        assert len(listed(kind, path, 1 << 22).images) == 2
    entry = tarfile.TarInfo("cat/huge.png")
    entry.size = 2 << 30
    (tmp_path / "huge.tar").write_bytes(entry.tobuf())
    with pytest.raises(DarkroomError, match="unpacks to 2,147,483,648 bytes"):
        listed(TAR, tmp_path / "huge.tar", 1 << 40)


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("cat/a.png", "dog/a.png", "dog/b.png"):
            archive.writestr(name, name)
        archive.filelist[2].header_offset = archive.filelist[0].header_offset
    with pytest.raises(DarkroomError, match=r"entry 'dog/b.png' overlaps with 'cat/a.png' .*nothing was taken"):
        listed(ZIP, path)


def test_what_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "bomb" / name).mkdir(parents=True)
        (tmp_path / "bomb" / name / "a.png").write_bytes(bytes(1 << 20))
    archives = [
        (ZIP, zipped(tmp_path / "bomb", tmp_path / "a.zip")),
        (TAR, tarred(tmp_path / "bomb", tmp_path / "a.tar.gz")),
    ]
    for kind, path in archives:
        assert len(listed(kind, path).images) == 2  # below a gigabyte it does no harm
    monkeypatch.setattr("darkroom.sources.archive.RATIO_FROM_BYTES", 1 << 20)
    for kind, path in archives:
        with pytest.raises(
            DarkroomError, match=r"bytes and unpacks to more than 200 times as many.*unpack it and give"
        ):
            listed(kind, path)


def test_entries_that_are_neither_files_nor_folders_are_named(tmp_path: Path) -> None:
    names = ["cat/a.png", "dog/a.png", "dog/b.png/", "dog/c\0.png"]
    reasons = [
        ("dog/b.png/", "a folder by its name, with 4 bytes in it"),
        ("dog/c\\0.png", "a zero byte in its name (4 bytes)"),
    ]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name.replace("\0", "?"), b"data")
    (tmp_path / "a.zip").write_bytes(content.getvalue().replace(b"dog/c?.png", b"dog/c\0.png"))
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            entry = tarfile.TarInfo("replaced")
            entry.size = 4
            entry.pax_headers = {"path": name}
            tar.addfile(entry, io.BytesIO(b"data"))
    for found in (listed(ZIP, tmp_path / "a.zip"), listed(TAR, tmp_path / "a.tar")):
        assert found.ignored == reasons
        assert [image.path for image in found.images] == ["cat/a.png", "dog/a.png"]


def test_an_entry_that_is_a_folder_by_its_mode_alone_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, mode in (
            ("cat/a.png", 0o100644),
            ("dog/a.png", 0o100644),
            ("dog/b.png", 0o040755),
            ("owl/", 0o040755),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"")
    assert listed(ZIP, tmp_path / "a.zip").ignored == [
        ("dog/b.png", "a folder by its mode and a file by its name (0 bytes)"), ("owl", "an empty folder"),
    ]  # fmt: skip


def test_a_zip_that_lies_about_a_length_gives_up_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/a.png", bytes(1 << 20))
        archive.writestr("dog/a.png", b"honest")
    content = path.read_bytes()
    path.write_bytes(content.replace((1 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    found = listed(ZIP, path, 1000)
    with pytest.raises(OSError, match="its length or checksum"):
        found.bytes_of("cat/a.png")
    assert found.bytes_of("dog/a.png") == b"honest"


def test_names_from_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, system in [("cat\\käse.png", 0), ("dog/ö.png", 3)]:
            info = zipfile.ZipInfo(name)
            info.create_system = system
            archive.writestr(info, b"")
    content = path.read_bytes()
    assert content.count(b"\x00\x08\x00\x00") >= 2  # the flag for UTF-8, which zip on macOS does not set
    path.write_bytes(content.replace(b"\x14\x00\x00\x08", b"\x14\x00\x00\x00"))
    assert [image.path for image in listed(ZIP, path).images] == ["cat/käse.png", "dog/ö.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_that_python_knows_is_read(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("cat/a.png", b"cat" * 100)
        archive.writestr("dog/a.png", b"dog" * 100)
    assert [content for *_, content in listed(ZIP, tmp_path / "a.zip").rows()] == [b"cat" * 100, b"dog" * 100]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_of_every_method_is_that_images_reason(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("cat/a.png", bytes(range(256)))
        archive.writestr("dog/a.png", b"dog" * 100)
    content = bytearray(path.read_bytes())
    # The header of the entry has 30 bytes and its name, LZMA's own head 9.
    content[50:90] = b"\xff" * 40
    path.write_bytes(content)
    found = listed(ZIP, path)
    with pytest.raises(OSError, match="damaged in the archive"):
        found.read(found.images[0])
    assert found.read(found.images[1]) == b"dog" * 100


def test_a_damaged_entry_is_that_images_fault_alone(digit_folder: Path, tmp_path: Path) -> None:
    path = zipped(digit_folder, tmp_path / "digits.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"one/05.png") + 15
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    found = listed(ZIP, path)
    with pytest.raises(OSError, match="damaged in the archive"):
        found.bytes_of("one/05.png")
    assert found.bytes_of("one/06.png")[:4] == b"\x89PNG"


def test_no_room_to_unpack_a_tar_is_said_and_no_images_fault(
    digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = listed(TAR, tarred(digit_folder, tmp_path / "a.tar.gz"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(DarkroomError, match="set TMPDIR to a folder with more room"):
        found.read(found.images[0])


def small_archive(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        for name in ("cat", "dog"):
            (tree / name).mkdir(parents=True)
            (tree / name / "a ä.png").write_bytes(name.encode() * 50)
        pack = zipped if suffix == "zip" else tarred
        return pack(tree, Path(scratch) / f"a.{suffix}").read_bytes()


SMALL = {suffix: small_archive(suffix) for suffix in ("zip", *PACKINGS)}


@given(
    st.sampled_from(sorted(SMALL)), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4), st.integers(0)
)
def test_no_damage_to_an_archive_is_a_crash(suffix: str, changes: list[tuple[int, int]], end: int) -> None:
    content = bytearray(SMALL[suffix])
    for at, byte in changes:
        content[at % len(content)] = byte
    if end % 3 == 0:
        del content[end % len(content) :]
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        try:
            found = listed(ZIP if suffix == "zip" else TAR, Path(file.name))
        except DarkroomError:
            return
        for image in found.images:
            try:
                found.read(image)
            except OSError as error:
                assert str(error)
