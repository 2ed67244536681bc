"""The tables that ingest writes: the manifest, a row for each readable image, the rejects, and what is ignored."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.images.chunks import chunk_ends

# A part of the manifest holds 130 rows on average: of 60,000 it takes 0.1 s to read all, and an insertion changes 0.2%.
WINDOW = 64

# What opening an image tells of it.
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

IGNORED = pa.schema([("path", pa.string()), ("reason", pa.string())])


def read_manifest(ingest: Path, columns: list[str] | None = None) -> pa.Table:
    """The manifest, sorted by path.

    It lies in parts, `manifest/<id of the first image>.parquet`, so that new images change few bytes of it.

    Args:
        ingest: the folder that the ingest stage wrote.
        columns: the wanted ones, in the order given; all of `MANIFEST` without.
    """
    return read_parts([path for path in (ingest / "manifest").iterdir() if path.suffix == ".parquet"], columns)


def read_parts(files: list[Path], columns: list[str] | None = None) -> pa.Table:
    """The manifest from its parts, in any order; else as `read_manifest`."""
    wanted = columns or MANIFEST.names
    schema = pa.schema([MANIFEST.field(name) for name in dict.fromkeys(["path", *wanted])])
    # One by one: a dataset of them takes a third longer, and loads pandas.
    parts = [pq.ParquetFile(file).read(schema.names, use_threads=False) for file in files]
    parts = [part.cast(pa.schema([schema.field(name) for name in part.column_names])) for part in parts]
    # A column that a part lacks is null there.
    table = pa.concat_tables([schema.empty_table(), *parts], promote_options="default")
    return table.sort_by("path").combine_chunks().select(wanted)


def write_manifest(manifest: pa.Table, ingest: Path) -> None:
    """Write the manifest in parts; equal tables give equal files.

    Args:
        manifest: with the columns of `MANIFEST`, sorted by path.
        ingest: the folder to make `manifest/` in.
    """
    folder = ingest / "manifest"
    folder.mkdir(parents=True)
    if not len(manifest):
        pq.write_table(MANIFEST.empty_table(), folder / "none.parquet")
    start = 0
    for end in chunk_ends(manifest["id"].to_pylist(), WINDOW):
        part = manifest.slice(start, end - start)
        # Statistics, Arrow's own schema and dictionaries of what never repeats would be a third of such small files.
        pq.write_table(
            part,
            folder / f"{part['id'][0]}.parquet",
            compression="zstd",
            use_dictionary=REPEATING,
            write_statistics=False,
            store_schema=False,
        )
        start = end
