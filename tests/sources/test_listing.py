"""The listing that survey hands to ingest."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.images.range_source import as_objects
from darkroom.runtime import cuts
from darkroom.runtime.files import file_hash
from darkroom.sources.listing import (
    FILES,
    describe_found,
    describe_ignored,
    read_classes,
    read_containers,
    read_counts,
    read_ignored,
    read_paths,
    read_survey_range,
    survey_ranges,
    to_tables,
)
from darkroom.sources.source import Ignored, Listing, SourceImage
from darkroom.sources.survey_parts import SurveyWriter, write_listing


def test_a_survey_is_read_as_it_was_written(tmp_path: Path) -> None:
    time = datetime(2026, 5, 31, 12, tzinfo=UTC)
    images = [
        SourceImage("a.png", "cat", "train", "data/a.png", group="g", timestamp=time),
        SourceImage("b.png", "dog", None, "b.zip", (7, 1 << 40), "crc32:00:5"),
        SourceImage("c.png", "dog", None, None, (3,)),
    ]
    listing = Listing(("cat", "dog"), images, [Ignored("x", "hidden")], ["b.zip", "list.txt"])
    assert listing.files == ["data/a.png", "b.zip", "list.txt"]
    columns = [listing.files, [1, 2, 3], ["0a", "0b", None]]
    write_listing(
        to_tables(listing) | {"files": pa.table(columns, schema=FILES)}, SurveyWriter(tmp_path, tmp_path / "none")
    )
    (only,) = survey_ranges(tmp_path)
    found = read_survey_range(tmp_path, only.name)
    assert as_objects(found) == images and read_paths(tmp_path, only.name).to_pylist() == ["a.png", "b.png", "c.png"]
    assert (read_classes(tmp_path), read_ignored(tmp_path)) == (listing.classes, listing.ignored)
    assert found["sha256"].to_pylist() == ["0a", None, None] and found["bytes"].to_pylist() == [1, 2, None]
    containers = read_containers(tmp_path)
    assert containers["path"].to_pylist() == ["b.zip", "list.txt"] and containers["sha256"].to_pylist() == ["0b", None]
    assert read_counts(tmp_path).to_pylist() == [
        {"label": "cat", "split": "train", "images": 1}, {"label": "dog", "split": None, "images": 2},
    ]  # fmt: skip


def test_ranges_are_cut_by_paths_and_named_by_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "WINDOW", 3)
    images = [SourceImage(f"{row:03}", "cat", None, f"f/{row:03}") for row in range(50)]
    files = pa.table([[image.file for image in images], [5] * 50, ["0a"] * 50], schema=FILES)
    write_listing(to_tables(Listing(("cat",), images)) | {"files": files}, SurveyWriter(tmp_path, tmp_path / "none"))
    ranges = survey_ranges(tmp_path)
    parts = [read_survey_range(tmp_path, each.name) for each in ranges]
    assert len(ranges) > 3 and pa.concat_tables(parts)["path"].to_pylist() == [image.path for image in images]
    for each, part in zip(ranges, parts, strict=True):
        file = tmp_path / f"images/{each.name}.parquet"
        assert (each.images, each.sha256) == (len(part), file_hash(file))
        assert each.name == cuts.range_name(part["path"][0].as_py()) and set(part["bytes"].to_pylist()) == {5}
    assert len(list((tmp_path / "images").iterdir())) == len(ranges)


def test_ignored_files_in_words() -> None:
    one = [Ignored("a\nb", "hidden")]
    assert describe_ignored(one) == r"1 file is not counted as images: a\nb (hidden)"
    many = [Ignored(f"{number}", "hidden") for number in range(1_007)]
    assert describe_ignored([*many, Ignored("x", "odd")]) == (
        "1,008 files are not counted as images: 0, 1 and 1,005 more (hidden); x (odd)"
    )


def test_what_was_found_in_words() -> None:
    file = Path("ignored.parquet")
    plain = [("dog", None, 3), ("cat", None, 1_000)]
    assert describe_found(("cat", "dog", "owl"), plain, [], file) == ["classes: cat (1,000), dog (3), owl (0)"]
    split = [("cat", "train", 2), ("dog", "train", 3), ("cat", "test", 1)]
    assert describe_found(("cat", "dog"), split, [], file) == [
        "classes: cat (3), dog (3)",
        "splits of the source: test (1), train (5)",
    ]
    assert describe_found(("x" * 81, "a\n"), [], [], file) == [f"classes: {'x' * 79}… (0), a\\n (0)"]
    many = tuple(f"{number:02}" for number in range(13))
    assert describe_found(many, [], [Ignored("x", "hidden")], file) == [
        "classes: 00 (0), 01 (0), 02 (0), 03 (0), 04 (0), … 3 more …, 08 (0), 09 (0), 10 (0), 11 (0), 12 (0)",
        "1 file is not counted as images: x (hidden); all are listed in ignored.parquet",
    ]
