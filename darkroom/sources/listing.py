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
        rows_sha256: of its rows but for where in their files the images are: an archive that is packed anew moves all of them,
            and changes none.
    """

    name: str
    images: int
    sha256: str
    rows_sha256: str


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


def read_paths(folder: Path, name: str) -> pa.ChunkedArray:
    """The paths of the images of a range, sorted."""
    return read_input_table(folder / "images" / f"{name}.parquet", ["path"])["path"]


def read_classes(folder: Path) -> tuple[str, ...]:
    """The class list, in label order."""
    return tuple(read_input_table(folder / "classes.parquet", ["name"])["name"].to_pylist())


def read_ignored(folder: Path) -> list[Ignored]:
    """What does not count as an image, sorted by path."""
    table = read_input_table(folder / "ignored.parquet", list(Ignored._fields))
    return list(map(Ignored, *table.to_pydict().values()))


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


def describe_found(
    classes: Sequence[str], counts: Sequence[tuple[str, str | None, int]], ignored: Sequence[Ignored], file: Path
) -> list[str]:
    """The classes with their numbers of images, the images of each split that the source brings, and what is ignored.

    Args:
        classes: names in label order.
        counts: class, split of the source, and number of images.
        ignored: what does not count as an image.
        file: that has all of these.
    """
    images, splits = Counter[str](), Counter[str]()
    for label, split, number in counts:
        images[label] += number
        splits[split or "to be divided"] += number
    lines = [f"classes: {describe_classes({name: images[name] for name in classes})}"]
    if splits.keys() - {"to be divided"}:
        lines.append(f"splits of the source: {describe_classes(dict(sorted(splits.items())))}")
    if ignored:
        lines.append(f"{describe_ignored(ignored)}; all are listed in {file}")
    return lines
