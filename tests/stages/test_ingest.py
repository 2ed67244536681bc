"""Ingest: every file is a row or a reject, nothing is lost, and the source is left as it was."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from darkroom.errors import DarkroomError
from darkroom.images.schemas import MANIFEST
from darkroom.images.shards import read_shards
from stages import ingest
from tests.sources.test_folder_and_archive import zipped


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_image_becomes_a_row_and_its_bytes_are_kept(digit_folder: Path, tmp_path: Path) -> None:
    before = snapshot(digit_folder)
    ingest.run("folder", digit_folder, 0.0, tmp_path / "out")
    assert snapshot(digit_folder) == before
    table = pq.read_table(tmp_path / "out/manifest.parquet")
    assert table.schema.equals(MANIFEST)
    rows = table.to_pandas()
    assert len(rows) == 120 and rows["id"].is_unique and rows["path"].is_monotonic_increasing
    places = zip(rows["shard"], rows["offset"], rows["bytes"], strict=True)
    kept = dict(zip(rows["path"], read_shards(tmp_path / "out/shards", places), strict=True))
    assert kept == {path: content for path, (content, _, _) in before.items()}
    first = rows.iloc[0]
    assert (first["width"], first["height"], first["mode"], first["format"]) == (8, 8, "L", "PNG")


def test_the_same_bytes_from_a_folder_and_from_its_zip(digit_folder: Path, tmp_path: Path) -> None:
    ingest.run("folder", digit_folder, 0.0, tmp_path / "one")
    ingest.run("zip", zipped(digit_folder, tmp_path / "digits.zip"), 0.0, tmp_path / "other")
    one, other = snapshot(tmp_path / "one"), snapshot(tmp_path / "other")
    assert {name: row[0] for name, row in one.items()} == {name: row[0] for name, row in other.items()}


def damaged(digit_folder: Path, tmp_path: Path) -> Path:
    source = shutil.copytree(digit_folder, tmp_path / "source")
    (source / "zero/00.png").write_bytes(b"")
    (source / "one/00.png").write_bytes((source / "one/00.png").read_bytes()[:60])
    (source / "two/notes.txt").write_text("not an image")
    (source / "two/40.png").symlink_to(source / "gone.png")
    return source


def test_damaged_files_are_listed_with_their_reason(
    digit_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = damaged(digit_folder, tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in source.rglob("*")}
    ingest.run("folder", source, 0.05, tmp_path / "out")
    assert {path: path.lstat().st_mtime_ns for path in source.rglob("*")} == before
    rejects = pd.read_parquet(tmp_path / "out/rejects.parquet").set_index("path")
    assert list(rejects.index) == ["one/00.png", "two/40.png", "two/notes.txt", "zero/00.png"]
    assert rejects.loc["zero/00.png", "reason"] == "the file is empty"
    assert str(rejects.loc["one/00.png", "reason"]).startswith("damaged")
    assert rejects.loc["two/40.png", "reason"] == "can't be read: No such file or directory"
    assert rejects.loc["two/notes.txt", "reason"] == "not an image in a known format"
    assert len(pd.read_parquet(tmp_path / "out/manifest.parquet")) == 118
    assert "118 images of 3 classes, 4 rejected" in capsys.readouterr().out


def test_more_damage_than_allowed_stops_with_numbers_and_writes_nothing(digit_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"4 of 122 files \(3\.3%\).*max_reject_fraction allows 1\.0%") as caught:
        ingest.run("folder", damaged(digit_folder, tmp_path), 0.01, tmp_path / "out")
    assert "zero/00.png: the file is empty" in str(caught.value)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


def test_two_runs_give_the_same_bytes(digit_folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        ingest.run("folder", digit_folder, 0.0, tmp_path / name)
    one, two = snapshot(tmp_path / "one"), snapshot(tmp_path / "two")
    assert {name: row[0] for name, row in one.items()} == {name: row[0] for name, row in two.items()}
