"""Growth: the cost follows the change, and the result is that of a run from nothing, whatever happened in between."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from darkroom.images import ingest as ingest_room
from darkroom.images.ingest_receipts import RangesBefore
from darkroom.images.range_cache import RangeCache
from darkroom.images.receipts import PackedBefore
from darkroom.images.shards import ShardWriter
from darkroom.runtime.errors import DarkroomError
from darkroom.sources import folder_columns, folder_survey
from darkroom.sources import survey as surveying
from darkroom.sources.folder_columns import Walked
from darkroom.sources.source import Location
from darkroom.sources.zip_columns import ZipColumns, zip_columns
from tests.conftest import ingest_source, ingest_surveyed, survey_source
from tests.support.growing import (
    add,
    count_openings,
    make_pile,
    outputs,
    picture,
    require_as_from_nothing,
    run_line,
    sums,
    zipped,
)

CACHED = [
    "ingest/*/*/facts.arrow",
    "ingest/*/*/thumbnails.arrow",
    "ingest/receipts/receipts.arrow",
    "ingest/receipts/sums.json",
    "ingest/shards/shards.arrow",
    "ranges/receipts/receipts.arrow",
    "folder/*.arrow",
    "survey_parts/parts.arrow",
]


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of these tests are younger than what the survey trusts."""
    monkeypatch.setattr("darkroom.sources.file_hashes.SETTLED", -1)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `pile` of 302 files, and beside it a root for the folder and one for its zip, after a first run."""
    scratch = tmp_path_factory.mktemp("growth")
    make_pile(scratch / "pile")
    run_line("folder", scratch / "pile", scratch / "folder")
    run_line("zip", zipped(scratch / "pile", scratch / "pile.zip"), scratch / "zip")
    return scratch


@pytest.fixture
def place(first: Path, tmp_path: Path) -> Path:
    """A copy of `first`; what the survey knows of its folder is of this copy."""
    shutil.copytree(first, tmp_path / "place")
    survey_source("folder", tmp_path / "place/pile", tmp_path / "place/folder")
    return tmp_path / "place"


def change(pile: Path) -> list[bytes]:
    """Add 1%, remove an image, relabel one; the new contents."""
    new = [add(pile, number).read_bytes() for number in (1000, 1001, 1002)]
    (pile / "dog/0001.jpg").unlink()
    (pile / "cat/0003.jpg").rename(pile / "owl/0003.jpg")
    return new


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_no_image_already_seen_is_opened(
    kind: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pile, root = place / "pile", place / kind
    new = change(pile)
    source = pile if kind == "folder" else zipped(pile, place / "grown.zip")
    opened = count_openings(monkeypatch)
    run_line(kind, source, root)
    # A moved file is looked at, since only its bytes can say that it was moved; it is not decoded.
    moved = picture(3)
    if kind == "folder":
        assert sorted(opened.read) == ["cat/1002.png", "dog/1000.png", "owl/1001.jpg"]
        assert sorted(opened.hashed) == sorted(["0003.jpg", "1000.png", "1001.jpg", "1002.png", *sums(new)])
    else:
        assert sorted(opened.read) == ["cat/1002.png", "dog/1000.png", "owl/0003.jpg", "owl/1001.jpg"]
        assert sorted(opened.hashed) == sorted(sums([*new, moved]))
    # Once to be measured, once to be packed.
    assert sorted(opened.decoded) == sorted(2 * sums(new))
    assert f"{3 if kind == 'folder' else 4} of them were read" in capsys.readouterr().out

    require_as_from_nothing(kind, source, root, place / "anew")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_with_no_change_nothing_is_opened_and_nothing_changes(
    kind: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, opened = outputs(place / kind), count_openings(monkeypatch)
    run_line(kind, place / ("pile" if kind == "folder" else "pile.zip"), place / kind)
    assert outputs(place / kind) == old
    assert (opened.read, opened.decoded) == ([], [])
    assert opened.hashed == []


@pytest.mark.parametrize("gone", ["", "folder", "ingest", "ranges", "ingest/receipts", "ingest/*/*/facts.arrow"])
def test_the_caches_can_be_deleted(gone: str, place: Path) -> None:
    change(place / "pile")
    target = next((place / "folder/.darkroom/cache").glob(gone)) if gone else place / "folder/.darkroom/cache"
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    run_line("folder", place / "pile", place / "folder")
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


@pytest.mark.parametrize("name", CACHED)
def test_damage_in_a_cache_is_noticed(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(place / "pile")
    (target,) = (place / "folder/.darkroom/cache").glob(name)
    content = bytearray(target.read_bytes())
    content[len(content) // 3] ^= 1
    target.write_bytes(content)
    capsys.readouterr()
    run_line("folder", place / "pile", place / "folder")
    printed = capsys.readouterr().out
    assert str(target.parent) in printed and "damaged" in printed
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")
    capsys.readouterr()
    run_line("folder", place / "pile", place / "folder")
    assert str(target.parent) not in capsys.readouterr().out


@pytest.mark.parametrize(
    "harm", [bytearray.clear, bytearray.pop, lambda content: content.__setitem__(50, content[50] ^ 1)]
)
def test_damage_in_the_previous_shards_is_noticed(
    harm: Callable[[bytearray], object], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (victim,) = (place / "folder/data/ingest/shards").rglob("*.bin")
    content = bytearray(victim.read_bytes())
    harm(content)
    victim.write_bytes(content)
    run_line("folder", place / "pile", place / "folder")
    assert f"{victim} is damaged" in capsys.readouterr().out
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


def test_the_previous_shards_can_be_gone(place: Path) -> None:
    shutil.rmtree(place / "zip/data")
    change(place / "pile")
    run_line("zip", zipped(place / "pile", place / "pile.zip"), place / "zip")
    require_as_from_nothing("zip", place / "pile.zip", place / "zip", place / "anew")


def test_an_edit_that_sets_the_time_back_is_noticed(place: Path) -> None:
    file = place / "pile/dog/0001.jpg"
    status, length = file.stat(), file.stat().st_size
    other = bytearray(file.read_bytes())
    other[length // 2] ^= 1
    with file.open("r+b") as opened:
        opened.write(other)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ino) == (
        length,
        status.st_mtime_ns,
        status.st_ino,
    )
    old = outputs(place / "folder")
    run_line("folder", place / "pile", place / "folder")
    assert outputs(place / "folder")["survey/receipt.json"] != old["survey/receipt.json"]
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_changes_after_the_survey_stops_the_line(known: bool, place: Path) -> None:
    out = place / "folder/data/ingest"
    file = place / "pile/dog/0001.jpg" if known else add(place / "pile", 1001)
    survey_source("folder", place / "pile", place / "folder")
    if known:
        # Without its shard a known image must be read again.
        shutil.rmtree(out / "shards")
    before = sorted(out.rglob("*"))
    file.write_bytes(picture(5))
    with pytest.raises(DarkroomError, match=f"{file.name} changed while it was ingested: run the line again"):
        ingest_surveyed("folder", place / "pile", place / "folder", 0.5)
    assert sorted(out.rglob("*")) == before
    run_line("folder", place / "pile", place / "folder")
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


def test_a_file_that_vanishes_after_the_survey_stops_the_line(place: Path) -> None:
    file = add(place / "pile", 1001)
    survey_source("folder", place / "pile", place / "folder")
    file.unlink()
    with pytest.raises(DarkroomError, match=f"{file.name} changed while it was ingested: run the line again"):
        ingest_surveyed("folder", place / "pile", place / "folder", 0.5)


@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO, errno.EACCES])
def test_a_file_that_the_survey_read_and_ingest_can_not_read_stops_the_line(
    error: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(place / "pile", 1001)
    survey_source("folder", place / "pile", place / "folder")
    opens = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == file:
            raise OSError(error, os.strerror(error))
        return opens(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    reason = f"the survey could read it, and it can't be read: {os.strerror(error)}"
    message = rf"{file.name} changed while it was ingested.*{reason}"
    with pytest.raises(DarkroomError, match=message):
        ingest_surveyed("folder", place / "pile", place / "folder", 0.5)


def test_a_class_folder_that_is_absent_while_it_is_ingested_stops_the_line(place: Path) -> None:
    out, away = place / "folder/data/ingest", place / "away"
    add(place / "pile", 1001)
    survey_source("folder", place / "pile", place / "folder")
    shutil.rmtree(out / "shards")
    (place / "pile/dog").rename(away)
    with pytest.raises(DarkroomError, match=r"dog/.* changed while it was ingested.*No such file or directory"):
        ingest_surveyed("folder", place / "pile", place / "folder", 0.5)
    away.rename(place / "pile/dog")
    run_line("folder", place / "pile", place / "folder")
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


def test_a_file_that_comes_after_the_survey_stops_the_line(place: Path) -> None:
    late = place / "pile/dog/late.jpg"
    late.symlink_to(place / "late.jpg")
    survey_source("folder", place / "pile", place / "folder")
    (place / "late.jpg").write_bytes(picture(5))
    with pytest.raises(DarkroomError, match=r"late\.jpg changed while it was ingested.*the survey could not read it"):
        ingest_surveyed("folder", place / "pile", place / "folder", 0.5)


def test_an_archive_that_changes_after_the_survey_stops_the_line(place: Path) -> None:
    before = outputs(place / "zip")
    survey_source("zip", place / "pile.zip", place / "zip")
    change(place / "pile")
    zipped(place / "pile", place / "pile.zip")
    with pytest.raises(DarkroomError, match=r"pile\.zip changed after the survey: run the line again"):
        ingest_surveyed("zip", place / "pile.zip", place / "zip", 0.5)
    assert outputs(place / "zip") == before
    (place / "pile.zip").unlink()
    with pytest.raises(DarkroomError, match=r"pile\.zip changed after the survey"):
        ingest_surveyed("zip", place / "pile.zip", place / "zip", 0.5)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_source_is_listed_once(kind: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []

    def walked(root: Path) -> Walked:
        listed.append(root)
        return folder_columns.walk_files(root)

    def unpacked(location: Location) -> ZipColumns | None:
        listed.append(location.path)
        return zip_columns(location)

    monkeypatch.setattr(folder_survey, "walk_files", walked)
    monkeypatch.setattr(surveying, "zip_columns", unpacked)
    source = place / ("pile" if kind == "folder" else "pile.zip")
    run_line(kind, source, place / "anew")
    assert listed == [source]
    # A folder must be listed to see whether anything changed; an archive is listed again when its hash changes.
    run_line(kind, source, place / "anew")
    assert len(listed) == (2 if kind == "folder" else 1)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_copies_renamed_rejected_and_vanished_files(kind: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pile, root = place / "pile", place / kind
    (pile / "owl/copy.jpg").write_bytes(picture(1))
    for name in ("cat/a.jpg", "cat/b.jpg", "dog/c.png"):
        (pile / name).write_bytes(picture(2000))
    (pile / "owl/broken again.jpg").write_bytes((pile / "cat/broken.jpg").read_bytes())
    (pile / "cat/broken.jpg").rename(pile / "cat/still broken.jpg")
    (pile / "cat/0000.png").rename(pile / "cat/0000.jpeg")
    if kind == "folder":
        (pile / "dog/0004.png").unlink()
        (pile / "dog/0004.png").symlink_to("gone.png")
    source = pile if kind == "folder" else zipped(pile, place / "grown.zip")
    opened = count_openings(monkeypatch)
    run_line(kind, source, root)
    assert set(opened.decoded) == set(sums([picture(2000)]))
    rejects = pd.read_parquet(root / "data/ingest/rejects.parquet")
    expected = ["cat/still broken.jpg", "dog/empty.png", "owl/broken again.jpg"]
    if kind == "folder":
        expected = sorted([*expected, "dog/0004.png"])
        assert rejects.set_index("path").loc["dog/0004.png", "reason"] == "can't be read: No such file or directory"
    assert list(rejects["path"]) == expected
    require_as_from_nothing(kind, source, root, place / "anew")


def test_another_decoder_opens_everything_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = count_openings(monkeypatch)
    ingest_source("folder", place / "pile", place / "folder", 0.5, "pillow")
    assert len(opened.decoded) == 302
    first = outputs(place / "folder")
    ingest_source("folder", place / "pile", place / "anew", 0.5, "pillow")
    assert {name: content for name, content in first.items() if name.startswith("ingest/")} == {
        name: content for name, content in outputs(place / "anew").items() if name.startswith("ingest/")
    }


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (ShardWriter, "close"),
        (RangeCache, "save"),
        (RangesBefore, "save"),
        (ingest_room, "write_receipt"),
        (PackedBefore, "save"),
    ],
)
def test_a_killed_run_leaves_nothing_wrong(
    owner: object, name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(place / "pile")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            run_line("folder", place / "pile", place / "folder")
    # A kill leaves more behind than an interruption.
    shutil.copytree(place / "folder/data/ingest", place / "folder/data/.ingest.partial")
    run_line("folder", place / "pile", place / "folder")
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")


def test_too_many_rejects_stop_the_line_and_harm_nothing(place: Path) -> None:
    (place / "pile/owl/new.jpg").write_bytes(b"not an image")
    before = outputs(place / "folder")
    with pytest.raises(DarkroomError, match=r"3 of 303 files"):
        ingest_source("folder", place / "pile", place / "folder", 0.001)
    after = outputs(place / "folder")
    assert {name: before[name] for name in before if name.startswith("ingest")} == {
        name: after[name] for name in after if name.startswith("ingest")
    }
    run_line("folder", place / "pile", place / "folder")
    require_as_from_nothing("folder", place / "pile", place / "folder", place / "anew")
