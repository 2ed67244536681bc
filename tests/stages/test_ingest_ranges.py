"""Ingest by ranges: one that is what it was is not opened or written, and all of them are those of a run from nothing."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from darkroom.images import shards
from darkroom.images.manifest import manifest_ranges, read_manifest
from darkroom.images.range_cache import range_thumbnails
from darkroom.runtime import cuts
from tests.conftest import ingest_source
from tests.stages.test_fixes import ingest_with_fixes
from tests.support.growing import add, count_openings, make_pile, outputs, picture, zipped


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `pile` of 122 files and a root, after a run in ranges of some twenty with shards of a few images."""
    monkeypatch.setattr(cuts, "WINDOW", 8)
    monkeypatch.setattr(shards, "LEAST", 1_000)
    monkeypatch.setattr("darkroom.sources.file_hashes.SETTLED", -1)
    make_pile(tmp_path / "pile", 120)
    ingest_source("folder", tmp_path / "pile", tmp_path / "root", 0.5)
    return tmp_path


def marks(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file of the manifest and the shards."""
    found = [*folder.glob("manifest/*"), *folder.glob("shards/*/*.bin")]
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def require_as_from_nothing(place: Path) -> None:
    assert outputs(place / "root") == outputs(
        ingest_source("folder", place / "pile", place / "anew", 0.5).parent.parent
    )


def test_only_the_range_of_a_new_image_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = place / "root/data/ingest"
    before, ranges = marks(out), {each.name: each for each in manifest_ranges(out)}
    assert len(ranges) > 4
    new = add(place / "pile", 1001)
    read = count_reads(monkeypatch, out)
    ingest_source("folder", place / "pile", place / "root", 0.5)
    assert len([each for each in manifest_ranges(out) if ranges.get(each.name) != each]) == 1
    written = [name for name, mark in marks(out).items() if before.get(name) != mark]
    assert len([name for name in written if name.startswith("manifest/")]) == 1
    rewritten = [name for name in written if name.startswith("shards/")]
    assert 1 <= len(rewritten) <= 4 < len(before) // 4
    # Of the shards of before those alone are opened that hold neighbours of the new image.
    assert {Path(name).parent.name for name in read} <= {Path(name).parent.name for name in before} and len(read) <= 4
    assert new.read_bytes() in b"".join((out / name).read_bytes() for name in rewritten)
    require_as_from_nothing(place)


def count_reads(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """The shards of before that are read."""
    read: list[str] = []
    plain = shards.PreviousShards._read

    def counted(before: shards.PreviousShards, name: str) -> bytes | None:
        read.append(name)
        return plain(before, name)

    monkeypatch.setattr(shards.PreviousShards, "_read", counted)
    return read


def test_a_moved_folder_is_not_decoded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "pile/dog").rename(place / "pile/zebra")
    opened = count_openings(monkeypatch)
    ingest_source("folder", place / "pile", place / "root", 0.5)
    assert (opened.read, opened.decoded) == ([], [])
    require_as_from_nothing(place)


def test_an_archive_that_is_packed_anew_in_another_order_changes_no_range(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, root = place / "pile.zip", place / "zip"
    ingest_source("zip", zipped(place / "pile", archive), root, 0.5)
    before, names = marks(root / "data/ingest"), sorted(path for path in (place / "pile").rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w") as opened:
        for path in reversed(names):
            opened.write(path, path.relative_to(place / "pile"))
    read = count_openings(monkeypatch)
    ingest_source("zip", archive, root, 0.5)
    assert (read.read, read.decoded) == ([], []) and marks(root / "data/ingest") == before
    # One more: it is read from where it is now.
    add(place / "pile", 1001)
    ingest_source("zip", zipped(place / "pile", archive), root, 0.5)
    assert len(read.read) == 1
    assert outputs(root) == outputs(ingest_source("zip", archive, place / "anew", 0.5).parent.parent)


def test_thumbnails_are_those_of_a_part(place: Path) -> None:
    out, cache = place / "root/data/ingest", place / "root/.darkroom/cache"
    for each in manifest_ranges(out):
        found = range_thumbnails(cache, "turbo", each)
        assert found is not None and found.shape == (each.images, 32, 32) and found.std(axis=(1, 2)).min() > 1
        assert range_thumbnails(cache, "pillow", each) is None
    (place / "pile/cat/0000.png").write_bytes(picture(2000))
    before = {each.name: each for each in manifest_ranges(out)}
    ingest_source("folder", place / "pile", place / "root", 0.5)
    (changed,) = [each for each in manifest_ranges(out) if before[each.name] != each]
    assert range_thumbnails(cache, "turbo", changed) is not None
    assert range_thumbnails(cache, "turbo", before[changed.name]) is None


def test_a_fix_changes_one_range_and_leaves_its_shards(place: Path) -> None:
    ingest_with_fixes("folder", place / "pile", place / "root")
    out = place / "root/data/ingest"
    before = marks(out)
    manifest = read_manifest(out, ["path", "id"]).to_pydict()
    ids = dict(zip(manifest["path"], manifest["id"], strict=True))
    for image in ("cat/0003.jpg", ids["cat/0003.jpg"]):
        ingest_with_fixes("folder", place / "pile", place / "root", (image, "relabel", "dog"))
        written = [name for name, mark in marks(out).items() if before.get(name) != mark]
        assert len(written) == 1 and written[0].startswith("manifest/")
    ingest_with_fixes("folder", place / "pile", place / "root")
    require_as_from_nothing(place)


def test_files_of_another_clone_hold(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DVC checks out has the bytes of the run before, at other times."""
    out = place / "root/data/ingest"
    copied = shutil.copytree(out, place / "copied", copy_function=shutil.copyfile)
    shutil.rmtree(out)
    copied.rename(out)
    before = marks(out)
    opened = count_openings(monkeypatch)
    ingest_source("folder", place / "pile", place / "root", 0.5)
    assert {name: mark for name, mark in marks(out).items() if before[name] != mark} == {}
    assert not opened.read and not opened.decoded


def test_a_tampered_part_is_written_again(place: Path) -> None:
    part = sorted((place / "root/data/ingest/manifest").iterdir())[0]
    part.write_bytes(hashlib.sha256().digest())
    ingest_source("folder", place / "pile", place / "root", 0.5)
    require_as_from_nothing(place)
