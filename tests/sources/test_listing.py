"""The listing that survey hands to ingest."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from darkroom.sources.listing import FILES, describe_ignored, read_survey, to_tables, write_survey
from darkroom.sources.source import Ignored, Listing, SourceImage


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
    write_survey(to_tables(listing) | {"files": pa.table(columns, schema=FILES)}, tmp_path)
    found = read_survey(tmp_path)
    assert (found.listing.classes, found.listing.images, found.listing.ignored) == (
        listing.classes, images, listing.ignored,
    )  # fmt: skip
    assert found.hashes == ["0a", None, None]
    assert found.containers == {"b.zip": "0b", "list.txt": None}


def test_ignored_files_in_words() -> None:
    one = [Ignored("a\nb", "hidden")]
    assert describe_ignored(one) == r"1 file is not counted as images: a\nb (hidden)"
    many = [Ignored(f"{number}", "hidden") for number in range(1_007)]
    assert describe_ignored(many).startswith("1,007 files are not counted as images: 0 (hidden), 1 (hidden), ")
    assert describe_ignored(many).endswith("4 (hidden), and 1,002 more")
