"""The manifest on disk: one part for each range, and the list of them."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.images.manifest import (
    MANIFEST,
    manifest_ranges,
    read_manifest,
    read_manifest_range,
)
from darkroom.runtime import cuts
from darkroom.runtime.errors import DarkroomError
from tests.support.manifests import write_manifest


def table_of(paths: list[str]) -> pa.Table:
    rows = [{"id": f"{position:016x}", "path": path, "label": "cat"} for position, path in enumerate(paths)]
    return pa.Table.from_pylist(rows, MANIFEST)


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """60 images, written in ranges of ten and more."""
    monkeypatch.setattr(cuts, "WINDOW", 8)
    table = table_of([f"cat/{number:03}.jpg" for number in range(60)])
    write_manifest(table, tmp_path)
    return table


def test_the_parts_are_the_manifest(tmp_path: Path, manifest: pa.Table) -> None:
    ranges = manifest_ranges(tmp_path)
    assert len(ranges) > 2
    parts = [read_manifest_range(tmp_path, each.name) for each in ranges]
    assert [len(part) for part in parts] == [each.images for each in ranges]
    assert pa.concat_tables(parts).equals(manifest) and read_manifest(tmp_path).equals(manifest)
    assert read_manifest_range(tmp_path, ranges[0].name, ["label", "id"]).column_names == ["label", "id"]
    files = {f"{each.name}.parquet": each.sha256 for each in ranges}
    written = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "manifest").iterdir()}
    assert files == written


def test_a_new_image_changes_one_part(tmp_path: Path, manifest: pa.Table) -> None:
    grown = table_of(sorted([*manifest["path"].to_pylist(), "cat/030a.jpg"]))
    write_manifest(grown, tmp_path / "grown")
    before, after = manifest_ranges(tmp_path), manifest_ranges(tmp_path / "grown")
    assert [each.name for each in before] == [each.name for each in after]
    assert sum(each.images for each in after) == 61
    # The ids of this table count rows, so that only the ranges before the new image keep their bytes.
    assert before[0] == after[0]


def test_no_image_is_no_range(tmp_path: Path) -> None:
    write_manifest(MANIFEST.empty_table(), tmp_path)
    assert manifest_ranges(tmp_path) == [] and read_manifest(tmp_path, ["id"]).num_rows == 0


def test_a_damaged_list_of_ranges_is_named(tmp_path: Path, manifest: pa.Table) -> None:
    (tmp_path / "receipt.json").write_text('{"ranges": [{"name": "a"}]}')
    with pytest.raises(DarkroomError, match=r"damaged, or of another version"):
        manifest_ranges(tmp_path)
    (tmp_path / "receipt.json").unlink()
    with pytest.raises(FileNotFoundError):
        manifest_ranges(tmp_path)
