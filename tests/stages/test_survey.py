"""Survey: hashes of what is new or changed, and not a look into what is neither."""

import hashlib
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.runtime import cuts
from darkroom.runtime.errors import DarkroomError
from darkroom.sources import file_hashes, folder_columns, folder_survey
from darkroom.sources.file_hashes import SETTLED
from darkroom.sources.folder_columns import Walked
from darkroom.sources.listing import read_survey_range, survey_ranges
from darkroom.sources.registry import SOURCE_KINDS
from darkroom.sources.source import Listing, Location, SourceKind
from darkroom.sources.table import TABLE
from darkroom.sources.tar_archive import TAR
from darkroom.sources.zip_columns import ZipColumns
from darkroom.sources.zip_directory import zip_hash
from stages import survey


@pytest.fixture
def root(digit_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(digit_folder, tmp_path / "images")
    return tmp_path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened from now on."""
    opened: list[str] = []
    digest = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        opened.append(str(Path(file.name).relative_to(Path(file.name).parents[1])))  # type: ignore[attr-defined]
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return opened


def look(source: str, path: Path, root: Path) -> None:
    survey.run(source=source, location=Location(path, None, 1 << 30), cache=root / "cache", out=root / "out")


def written(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "out").rglob("*") if path.is_file()}


def inodes(root: Path) -> dict[str, int]:
    out = root / "out"
    return {str(path.relative_to(out)): path.stat().st_ino for path in out.rglob("*") if path.is_file()}


def rows_of(root: Path) -> list[dict[str, Any]]:
    """The rows of all images."""
    ranges = survey_ranges(root / "out")
    return [row for each in ranges for row in read_survey_range(root / "out", each.name).to_pylist()]


def run(root: Path) -> dict[str, tuple[int | None, str | None]]:
    look("folder", root / "images", root)
    rows = rows_of(root)
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    return {row["path"]: (row["bytes"], row["sha256"]) for row in rows}


def settle() -> None:
    time.sleep(1.2 * SETTLED / 1e9)


def test_it_says_what_each_file_is(root: Path) -> None:
    found = run(root)
    assert len(found) == 120
    for name, (count, sha256) in found.items():
        content = (root / "images" / name).read_bytes()
        assert (count, sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_only_what_is_new_or_changed_is_opened(
    root: Path, hashed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settle()
    before = run(root)
    assert len(hashed) == 120
    hashed.clear()
    assert run(root) == before and hashed == []
    assert "120 files, 0 new or changed" in capsys.readouterr().out
    (root / "images/zero/00.png").write_bytes(b"other")
    (root / "images/one/new.png").write_bytes(b"new")
    (root / "images/two/00.png").unlink()
    after = run(root)
    assert sorted(hashed) == ["one/new.png", "zero/00.png"]
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {
        "zero/00.png", "one/new.png", "two/00.png",
    }  # fmt: skip


def test_a_young_file_is_looked_at_again(root: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settle()
    (root / "images/zero/00.png").write_bytes(b"young")
    run(root)
    hashed.clear()
    run(root)
    assert hashed == ["zero/00.png"]
    settle()
    run(root)
    hashed.clear()
    run(root)
    assert hashed == []


def absent_at_first(monkeypatch: pytest.MonkeyPatch, kind: SourceKind, *steps: Callable[[], object]) -> list[int]:
    """Lists the source for real, and takes a step right after each listing; gives the numbers of images that were listed."""
    waiting, numbers = list(steps), []

    def list_then_step(location: Location) -> Listing:
        listing = kind.list(location)
        numbers.append(len(listing.images))
        if waiting:
            waiting.pop(0)()
        return listing

    monkeypatch.setitem(SOURCE_KINDS, kind.name, replace(kind, list=list_then_step))
    return numbers


def changes_after_looks(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object]) -> list[int]:
    """Looks at the folder for real, and takes a step right after each look; gives the numbers of files that were there."""
    waiting, numbers, walk_files = list(steps), [], folder_columns.walk_files

    def walk_then_step(root: Path) -> Walked:
        walked = walk_files(root)
        numbers.append(len(walked.files))
        if waiting:
            waiting.pop(0)()
        return walked

    monkeypatch.setattr(folder_survey, "walk_files", walk_then_step)
    return numbers


def test_a_folder_that_changes_between_listing_and_hashing_is_listed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = root / "away"
    steps = [lambda: (root / "images/zero").rename(away), lambda: away.rename(root / "images/zero")]
    numbers = changes_after_looks(monkeypatch, *steps)
    found = run(root)
    assert numbers[0] == 120 and numbers[-1] == 120 and 80 in numbers
    assert len(found) == 120 and all(sha256 for _, sha256 in found.values())


def test_a_file_that_vanishes_in_a_survey_is_not_in_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = changes_after_looks(monkeypatch, (root / "images/zero/00.png").unlink)
    assert len(run(root)) == 119 and numbers == [120, 119]
    (root / "images/one/gone.png").symlink_to("nowhere.png")
    assert run(root)["one/gone.png"] == (None, None)


def test_a_table_that_changes_in_a_survey_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = root / "images/table.csv"
    table.write_text("path,label\none/00.png,one\nzero/00.png,zero\n")
    absent_at_first(monkeypatch, TABLE, lambda: table.write_text(table.read_text() + "two/00.png,two\n"))
    look("table", table, root)
    assert len(rows_of(root)) == 3


def test_a_source_that_never_rests_stops_the_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [root / f"images/new-{number}" for number in range(6)]
    changes_after_looks(monkeypatch, *(folder.mkdir for folder in folders))
    with pytest.raises(DarkroomError, match="images changed 3 times while it was surveyed: run the line again when"):
        run(root)


def test_a_survey_with_nothing_new_writes_nothing(root: Path) -> None:
    archive = Path(shutil.make_archive(str(root / "images"), "zip", root / "images"))
    settle()
    for source, path in (("folder", root / "images"), ("zip", archive)):
        look(source, path, root)
        before = inodes(root)
        look(source, path, root)
        assert inodes(root) == before
        (root / "out/ignored.parquet").write_bytes(b"damaged")
        look(source, path, root)
        assert inodes(root).keys() == before.keys() and b"damaged" not in written(root).values()


def test_only_ranges_that_changed_are_written(
    root: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuts, "WINDOW", 5)
    settle()
    run(root)
    before, parts = inodes(root), survey_ranges(root / "out")
    assert len(parts) > 6
    hashed.clear()
    # An edit in place: neither its folder nor its name tells.
    with (root / "images/zero/00.png").open("r+b") as file:
        file.write(b"other")
    run(root)
    assert hashed == ["zero/00.png"] and "120 files, 1 new or changed" in capsys.readouterr().out
    changed = {name for name, inode in inodes(root).items() if before[name] != inode}
    assert len(changed) == 2 and "receipt.json" in changed
    shutil.rmtree(root / "cache")
    grown = written(root)
    (root / "out").rename(root / "grown")
    run(root)
    assert written(root) == grown


def test_only_ranges_of_an_archive_that_changed_are_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "WINDOW", 5)
    archive = Path(shutil.make_archive(str(root / "images"), "zip", root / "images"))
    settle()
    look("zip", archive, root)
    before = inodes(root)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("one/new.png", b"new")
    made, images = [], ZipColumns.images

    def counted(columns: ZipColumns, start: int, end: int) -> pa.Table:
        made.append(start)
        return images(columns, start, end)

    monkeypatch.setattr(ZipColumns, "images", counted)
    look("zip", archive, root)
    changed = {name for name, inode in inodes(root).items() if before.get(name) != inode}
    assert 1 <= len(made) <= 3 and len(changed) == len(made) + 3
    assert {name for name in changed if "/" not in name} == {"counts.parquet", "files.parquet", "receipt.json"}
    grown = written(root)
    shutil.rmtree(root / "cache")
    (root / "out").rename(root / "grown")
    look("zip", archive, root)
    assert written(root) == grown
    # A part that is not what was written is made again.
    part = next((root / "out/images").iterdir())
    part.write_bytes(b"damaged")
    look("zip", archive, root)
    assert written(root) == grown


def test_two_machines_write_the_same(root: Path, digit_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(digit_folder, other / "images")
    run(root)
    run(other)
    assert written(root) == written(other)


def test_a_file_that_can_not_be_read_has_no_hash(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_file = file_hashes.hash_of
    monkeypatch.setattr(
        folder_survey, "hash_of", lambda place: None if place.endswith("zero/00.png") else hash_file(place)
    )
    (root / "images/one/gone.png").symlink_to("nowhere.png")
    found = run(root)
    assert found["zero/00.png"][1] is None and found["one/gone.png"] == (None, None)
    monkeypatch.undo()
    assert run(root)["zero/00.png"][1] is not None


def test_an_archive_is_one_file(root: Path) -> None:
    archive = Path(shutil.make_archive(str(root / "images"), "zip", root / "images"))
    look("zip", archive, root)
    rows = pq.read_table(root / "out/files.parquet").to_pylist()
    assert rows == [
        {
            "path": "images.zip",
            "bytes": archive.stat().st_size,
            "sha256": zip_hash(archive),
            "images": 120,
        }
    ]


def test_a_cached_listing_is_used_while_nothing_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []

    def list_tar(location: Location) -> Listing:
        listed.append(location.path)
        return TAR.list(location)

    monkeypatch.setitem(SOURCE_KINDS, "tar", replace(TAR, list=list_tar))
    archive = Path(shutil.make_archive(str(root / "images"), "tar", root / "images"))
    look("tar", archive, root)
    first = written(root)
    look("tar", archive, root)
    assert len(listed) == 1 and written(root) == first
    (root / "cache/listing/images.arrow").write_bytes(b"damaged")
    archive.touch()
    look("tar", archive, root)
    assert len(listed) == 2 and written(root) == first
    shutil.rmtree(root / "cache/listing")
    archive.touch()
    look("tar", archive, root)
    assert len(listed) == 3 and written(root) == first
    (root / "images/one/00.png").unlink()
    shutil.make_archive(str(root / "images"), "tar", root / "images")
    look("tar", archive, root)
    assert len(listed) == 4 and len(rows_of(root)) == 119


def test_a_source_without_files_of_its_own(root: Path) -> None:
    look("digits", root / "images", root)
    assert pq.read_table(root / "out/files.parquet").num_rows == 0
