"""What survey hands to ingest: a source's listing by range, with the hashes of its files, without a trace of the machine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.inputs import read_input_json, read_input_table, stage_input
from darkroom.runtime.text import count, plural, printable
from darkroom.sources.names import describe_classes
from darkroom.sources.source import Ignored, Listing, SourceImage

# `bytes` is null where the file is not there, `sha256` where it can't be read, or is too large for an image.
FILES = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
# The attributes of `SourceImage`, and what `FILES` has of those that are a whole file.
IMAGES = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("file", pa.string()),
        ("place", pa.list_(pa.int64())),
        ("stamp", pa.string()),
        ("group", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
    ]
)
LISTING = {
    "images": pa.schema([IMAGES.field(name) for name in SourceImage._fields]),
    "ignored": pa.schema([("path", pa.string()), ("reason", pa.string())]),
    "classes": pa.schema([("name", pa.string())]),
}
# A file that is no image itself (an archive, a table, a list), and how many images are in it.
CONTAINERS = FILES.append(pa.field("images", pa.int64()))
COUNTS = pa.schema([("label", pa.string()), ("split", pa.string()), ("images", pa.int64())])
RECEIPT = "receipt.json"


@dataclass(frozen=True)
class SurveyRange:
    """Some ten thousand neighbours in the list of images sorted by path.

    Attributes:
        name: of its file `images/<name>.parquet`.
        images: how many.
        sha256: of that file.
    """

    name: str
    images: int
    sha256: str


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
    """A listing as tables with the columns of `LISTING`."""
    images = listing.images
    content: dict[str, list[Sequence[object]]] = {
        "images": list(zip(*images, strict=True)) or [()] * len(SourceImage._fields),
        "ignored": list(zip(*sorted(listing.ignored), strict=True)) or [(), ()],
        "classes": [listing.classes],
    }
    return {name: pa.table(content[name], schema=schema) for name, schema in LISTING.items()}


@stage_input
def survey_ranges(folder: Path) -> list[SurveyRange]:
    """The ranges that the survey stage wrote to its folder, in the order of their images."""
    return [SurveyRange(**each) for each in read_input_json(folder / RECEIPT, {"ranges": list})["ranges"]]


@stage_input
def read_survey_range(folder: Path, name: str) -> pa.Table:
    """The images of a range, sorted by path, with the columns of `IMAGES`.

    `bytes` is null where a file is not there; of an image in a container it is the mean of those in it. `sha256` is null of
    these, and of what can't be read.
    """
    images = read_input_table(folder / "images" / f"{name}.parquet", IMAGES.names)
    files = read_containers(folder)
    mean = pc.divide(files["bytes"], pc.max_element_wise(files["images"], 1))
    means = mean.take(pc.index_in(images["file"], files["path"].combine_chunks(), skip_nulls=True))
    return images.set_column(IMAGES.names.index("bytes"), "bytes", pc.coalesce(images["bytes"], means))


def read_containers(folder: Path) -> pa.Table:
    """The files of the source that are no image themselves, with the columns of `CONTAINERS`."""
    return read_input_table(folder / "files.parquet", CONTAINERS.names)


def read_counts(folder: Path) -> pa.Table:
    """How many images each class has in each split of the source, with the columns of `COUNTS`."""
    return read_input_table(folder / "counts.parquet", COUNTS.names)


@stage_input
def read_survey(folder: Path) -> Surveyed:
    """All that `write_survey` wrote, with an object for each image."""
    images: list[SourceImage] = []
    hashes: list[str | None] = []
    sizes: list[int] = []
    for each in survey_ranges(folder):
        columns = read_survey_range(folder, each.name).to_pydict()
        columns["place"] = [None if place is None else tuple(place) for place in columns["place"]]
        images += map(SourceImage, *(columns[name] for name in SourceImage._fields))
        hashes += columns["sha256"]
        sizes += [size or 0 for size in columns["bytes"]]
    ignored, classes = (read_input_table(folder / f"{name}.parquet").to_pydict() for name in ("ignored", "classes"))
    files = read_containers(folder)
    return Surveyed(
        Listing(
            tuple(classes["name"]),
            images,
            [Ignored(*values) for values in zip(ignored["path"], ignored["reason"], strict=True)],
        ),
        hashes,
        sizes,
        dict(zip(files["path"].to_pylist(), files["sha256"].to_pylist(), strict=True)),
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
