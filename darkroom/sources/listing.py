"""What survey hands to ingest: a source's listing and the hashes of its files, as tables without a trace of the machine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.inputs import read_input_table, stage_input
from darkroom.runtime.text import count, plural, printable
from darkroom.sources.names import describe_classes
from darkroom.sources.source import Ignored, Listing, SourceImage

# `bytes` is null where the file is not there, `sha256` where it can't be read, or is too large for an image.
FILES = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
# `file` is a row of `FILES`; the other columns are the attributes of `SourceImage`.
IMAGES = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("file", pa.int64()),
        ("place", pa.list_(pa.int64())),
        ("stamp", pa.string()),
        ("group", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
    ]
)
LISTING = {
    "images": IMAGES,
    "ignored": pa.schema([("path", pa.string()), ("reason", pa.string())]),
    "classes": pa.schema([("name", pa.string())]),
}


@dataclass(frozen=True)
class Surveyed:
    """What a survey found.

    Attributes:
        listing: of the source.
        hashes: SHA-256 of each image that is a whole file, in the order of the images; None for the others, and for what
            can't be read.
        sizes: bytes of each image, in the order of the images; of one in a container, the mean of those in it.
        containers: path and SHA-256 of each file that is not one image: archives, tables, lists.
    """

    listing: Listing
    hashes: list[str | None]
    sizes: list[int]
    containers: dict[str, str | None]


def to_tables(listing: Listing) -> dict[str, pa.Table]:
    """A listing as tables with the columns of `LISTING`; `file` counts in the order of `Listing.files`."""
    rows: dict[str | None, int | None] = {file: row for row, file in enumerate(listing.files)}
    images = listing.images
    columns = dict(zip(SourceImage._fields, zip(*images, strict=True), strict=True)) if images else {}
    columns["file"] = tuple(rows.get(image.file) for image in images)
    content: dict[str, list[tuple[object, ...]]] = {
        "images": [columns.get(name, ()) for name in IMAGES.names],
        "ignored": list(zip(*sorted(listing.ignored), strict=True)) or [(), ()],
        "classes": [listing.classes],
    }
    return {name: pa.table([*content[name]], schema=schema) for name, schema in LISTING.items()}


def write_survey(tables: dict[str, pa.Table], folder: Path) -> None:
    """Write the tables of a listing and its `files`, each to `<name>.parquet`; equal tables give equal files."""
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")


@stage_input
def read_survey(folder: Path) -> Surveyed:
    """Read what `write_survey` wrote."""
    files, images, ignored, classes = (
        read_input_table(folder / f"{name}.parquet").to_pydict() for name in ("files", *LISTING)
    )
    paths, hashes = files["path"], files["sha256"]
    rows, places = images["file"], images["place"]
    whole = [row is not None and place is None for row, place in zip(rows, places, strict=True)]
    images["file"] = [None if row is None else paths[row] for row in rows]
    images["place"] = [None if place is None else tuple(place) for place in places]
    images_of = Counter(rows)
    single = {row for row, alone in zip(rows, whole, strict=True) if alone}
    listing = Listing(
        tuple(classes["name"]),
        [SourceImage(*values) for values in zip(*(images[name] for name in IMAGES.names), strict=True)],
        [Ignored(*values) for values in zip(ignored["path"], ignored["reason"], strict=True)],
    )
    return Surveyed(
        listing,
        [hashes[row] if alone else None for row, alone in zip(rows, whole, strict=True)],
        [0 if row is None else (files["bytes"][row] or 0) // images_of[row] for row in rows],
        {path: sha256 for row, (path, sha256) in enumerate(zip(paths, hashes, strict=True)) if row not in single},
    )


def describe_ignored(ignored: Sequence[Ignored]) -> str:
    """How many files are ignored, and for each reason the first two and how many more."""
    paths: dict[str, list[str]] = {}
    for one in ignored:
        paths.setdefault(one.reason, []).append(printable(one.path))
    each = [
        f"{', '.join(found[:2])}{f' and {len(found) - 2:,} more' if len(found) > 2 else ''} ({printable(reason)})"
        for reason, found in paths.items()
    ]
    number = len(ignored)
    return f"{count(number, 'file')} {plural(number, 'is', 'are')} not counted as images: {'; '.join(each)}"


def describe_found(listing: Listing, ignored: Path) -> list[str]:
    """The classes with their numbers of images, the images of each split that the source brings, and what is ignored.

    Args:
        listing: of the source.
        ignored: the file with all that is ignored.
    """
    images = Counter(image.label for image in listing.images)
    lines = [f"classes: {describe_classes({name: images[name] for name in listing.classes})}"]
    splits = Counter(image.split or "to be divided" for image in listing.images)
    if splits.keys() - {"to be divided"}:
        lines.append(f"splits of the source: {describe_classes(dict(sorted(splits.items())))}")
    if listing.ignored:
        lines.append(f"{describe_ignored(listing.ignored)}; all are listed in {ignored}")
    return lines
