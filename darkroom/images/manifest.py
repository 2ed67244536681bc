"""The tables that ingest writes: the manifest, a row for each readable image, the rejects, and what is ignored."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.columns import addressable
from darkroom.runtime.files import whole_file, write_json
from darkroom.runtime.inputs import read_input_json, stage_input
from darkroom.sources.source import Ignored

if TYPE_CHECKING:  # It imports DVC.
    from darkroom.runtime.revisions import Revision

INGEST = "data/ingest"
# The manifest of a revision is a folder of parts; it was one file first, with fewer columns.
MANIFEST_FOLDER, FIRST_MANIFEST_FILE = f"{INGEST}/manifest", f"{INGEST}/manifest.parquet"

RECEIPT = "receipt.json"

# What is measured of each image.
MEASURED = pa.schema(
    [
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", pa.string()),
        ("format", pa.string()),
        ("frames", pa.int32()),
        ("bytes", pa.int64()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("sharpness", pa.float32()),
    ]
)

REPEATING = ["label", "source_label", "source_split", "group", "mode", "format", "shard"]

# `label` is the source's, or what a fix made of it: then `source_label` is the source's, and null otherwise.
MANIFEST = pa.schema(
    [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("path", pa.string()),
        ("label", pa.string()),
        ("source_label", pa.string()),
        ("source_split", pa.string()),
        ("group", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        *MEASURED,
        ("shard", pa.string()),
        ("offset", pa.int64()),
    ]
)

# `reviewer` is who removed an image through a fix; null where the file can't be read.
REJECTS = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("source_split", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("reason", pa.string()),
        ("reviewer", pa.string()),
    ]
)

# What the decoder says about files that it reads whole all the same.
REMARKS = pa.schema([("path", pa.string()), ("remark", pa.string())])

IGNORED = pa.schema([("path", pa.string()), ("reason", pa.string())])


def write_ignored(ignored: Sequence[Ignored], folder: Path) -> None:
    """Write what is ignored, sorted by path."""
    pq.write_table(pa.Table.from_pylist([each._asdict() for each in ignored], IGNORED), folder / "ignored.parquet")


@stage_input
def read_manifest(ingest: Path, columns: list[str] | None = None) -> pa.Table:
    """The manifest, sorted by path.

    Args:
        ingest: the folder that the ingest stage wrote.
        columns: those to read, in the order given; None for all of `MANIFEST`.
    """
    return read_parts(_parts(ingest / "manifest"), columns, stage_input(_read_part))


def read_parts(
    files: list[Path], columns: list[str] | None = None, read: Callable[[Path, list[str]], pa.Table] | None = None
) -> pa.Table:
    """The manifest from the files of its parts, in any order; columns as in `read_manifest`.

    Args:
        files: of the parts.
        columns: as in `read_manifest`.
        read: how to read the columns of one part; None: as they are, with the errors of pyarrow.
    """
    read = read or _read_part
    names = columns or MANIFEST.names
    schema = pa.schema([MANIFEST.field(name) for name in dict.fromkeys(["path", *names])])
    # One by one: a dataset of them takes a third longer.
    parts = [read(file, schema.names) for file in files]
    parts = [part.cast(pa.schema([schema.field(name) for name in part.column_names])) for part in parts]
    # A column that a part lacks is null there.
    table = pa.concat_tables([schema.empty_table(), *parts], promote_options="default")
    return addressable(table).sort_by("path").combine_chunks().select(names)


@dataclass(frozen=True)
class ManifestRange:
    """A part of the manifest: the images of a range of the source, without those that are rejected.

    Attributes:
        name: of its file `manifest/<name>.parquet`.
        images: how many, at least one.
        sha256: of that file.
    """

    name: str
    images: int
    sha256: str


@stage_input
def manifest_ranges(ingest: Path) -> list[ManifestRange]:
    """The parts of the manifest that the ingest stage wrote to its folder, in the order of their images."""
    return [ManifestRange(**each) for each in read_input_json(ingest / RECEIPT, {"ranges": list})["ranges"]]


def read_manifest_range(ingest: Path, name: str, columns: list[str] | None = None) -> pa.Table:
    """The images of one range, sorted by path; columns as in `read_manifest`."""
    return read_parts([part_path(ingest, name)], columns, stage_input(_read_part))


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == ".parquet"]


def _read_part(file: Path, names: list[str]) -> pa.Table:
    return pq.ParquetFile(file).read(names, use_threads=False)


def write_part(name: str, part: pa.Table, ingest: Path) -> tuple[ManifestRange, tuple[int, int]]:
    """Write the images of one range; equal rows give equal bytes. A range without images gets no file.

    Returns:
        The range, and the bytes and the time of the file in nanoseconds.
    """
    if not len(part):
        return ManifestRange(name, 0, ""), (0, 0)
    content = io.BytesIO()
    # Statistics, Arrow's own schema and dictionaries of what never repeats are of no use to a reader of whole columns.
    pq.write_table(
        part.combine_chunks(),
        content,
        compression="zstd",
        use_dictionary=REPEATING,
        write_statistics=False,
        store_schema=False,
    )
    path = part_path(ingest, name)
    # A new file: the one of this name may be the last run's, by a second link.
    with whole_file(path) as partial:
        partial.write_bytes(content.getvalue())
    status = path.stat()
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    return ManifestRange(name, len(part), sha256), (status.st_size, status.st_mtime_ns)


def write_receipt(ranges: Sequence[ManifestRange], ingest: Path) -> None:
    """Write the list of the parts, in the order of their images."""
    if not ranges:
        (ingest / "manifest").mkdir(parents=True, exist_ok=True)
        pq.write_table(MANIFEST.empty_table(), part_path(ingest, "none"))
    write_json(ingest / RECEIPT, {"ranges": [asdict(each) for each in ranges]})


def part_path(ingest: Path, name: str) -> Path:
    """The file of a part of the manifest."""
    return ingest / "manifest" / f"{name}.parquet"


def manifest_of(revision: "Revision", columns: list[str]) -> pa.Table | None:
    """The manifest of a revision, sorted by path; None where it has none.

    Args:
        revision: an open one.
        columns: some of `MANIFEST`; those that the revision did not measure, or not as it is done now, are null.

    Raises:
        DarkroomError: when the revision has a manifest that is neither in DVC's cache nor in its remote.
    """
    if revision.has(MANIFEST_FOLDER):
        return read_parts(_parts(revision.get(MANIFEST_FOLDER)), columns)
    if not revision.has(FIRST_MANIFEST_FILE):
        return None
    # Sharpness was measured at another scale then, which would look like a shift.
    table = pq.read_table(revision.get(FIRST_MANIFEST_FILE)).drop_columns("sharpness").sort_by("path")
    for name in columns:
        if name not in table.column_names:
            table = table.append_column(MANIFEST.field(name), pa.nulls(len(table), MANIFEST.field(name).type))
    return table.select(columns)
