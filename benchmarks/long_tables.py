"""Tables of more hashes than 32-bit offsets reach, 2 GiB or 33.5 million rows, through the steps that read all of them.

Makes a manifest of so many rows in ranges of 10,000, with made hashes and one picture for all, and their groups; then runs
`split` from nothing, `split` beside its own table, what `select` reads, `preprocess` with made pixels of 8 x 8, the readers
that take whole columns, and `validate` without its search for near-copies: from nothing, again, and with 1% more rows in one
place. Each is in a process of its own. Measures CPU seconds and memory of each, and checks that nothing is lost: a row for
each image in each table, the same table from both splits, each image in one packed split. All is deleted at the end. 40 million
rows take 20 GB of disk, 13 GB of memory and half an hour.

    python -m benchmarks.long_tables --rows 40000000
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.repository import ROOT, run, temporary_home
from benchmarks.rounds import print_table
from darkroom.images.manifest import (
    IGNORED,
    MANIFEST,
    REJECTS,
    REMARKS,
    REPEATING,
    ManifestRange,
    manifest_ranges,
    read_manifest,
    write_receipt,
)
from darkroom.images.pack import load_packed
from darkroom.images.range_rows import shorter_sides
from darkroom.model.classes import ClassList
from darkroom.runtime.cuts import range_name
from darkroom.runtime.files import file_hash
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.paths import CHANGES, GROUPS, IMAGE_CACHE, INGEST, VALIDATE_REPORTS
from darkroom.runtime.stage import draw_pages
from darkroom.runtime.without_pandas import hide_pandas_from_pyarrow
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.validate import Validate
from darkroom.splits.rule import SPLITS, SplitConfig

CLASSES, RANGE, SIDE = 10, 10_000, 8
TABLE, ARRAYS, MORE = Path("split/splits.parquet"), Path("preprocess"), 0.01


def make_tables(rows: int) -> None:
    """The manifest, its list of ranges, its groups and the class list, in this folder; each tenth image is a copy."""
    (INGEST / "manifest").mkdir(parents=True)
    GROUPS.parent.mkdir(parents=True)
    ClassList(tuple(f"class-{number}" for number in range(CLASSES))).save(INGEST / "classes.json")
    for name, schema in (("rejects", REJECTS), ("ignored", IGNORED), ("remarks", REMARKS)):
        pq.write_table(schema.empty_table(), INGEST / f"{name}.parquet")
    shard = INGEST / "shards/00/00.bin"
    shard.parent.mkdir(parents=True)
    Image.effect_noise((32, 32), 60).save(shard, "PNG")
    rng, ranges, writer = np.random.default_rng(0), [], None
    for start in range(0, rows, RANGE):
        manifest = _make_range(rng, start, min(rows, start + RANGE), rows)
        ranges.append(_write_range(manifest))
        groups = manifest.select(["id", "sha256"]).rename_columns(["id", "group"])
        writer = writer or pq.ParquetWriter(GROUPS, groups.schema, compression="zstd")
        writer.write_table(groups)
    assert writer
    writer.close()
    write_receipt(ranges, INGEST)


def add_rows(rows: int) -> None:
    """1% more rows behind the others."""
    rng, more = np.random.default_rng(1), round(rows * MORE)
    parts = [
        _make_range(rng, start, min(rows + more, start + RANGE), rows) for start in range(rows, rows + more, RANGE)
    ]
    write_receipt([*manifest_ranges(INGEST), *map(_write_range, parts)], INGEST)


def _write_range(manifest: pa.Table) -> ManifestRange:
    name = range_name(manifest["path"][0].as_py())
    part = INGEST / "manifest" / f"{name}.parquet"
    pq.write_table(manifest, part, compression="zstd", use_dictionary=REPEATING, store_schema=False)
    return ManifestRange(name, len(manifest), file_hash(part))


def _make_range(rng: np.random.Generator, start: int, end: int, rows: int) -> pa.Table:
    count = end - start
    hashes = _hex_column(rng, count, 64)
    copied = np.arange(count)
    copied[9::10] -= 1
    labels = [f"class-{min(number * CLASSES // rows, CLASSES - 1)}" for number in range(start, end)]
    columns: dict[str, Any] = {
        "id": _hex_column(rng, count, 16),
        "sha256": hashes.take(pa.array(copied)),
        "path": [f"{label}/{number:09}.jpg" for label, number in zip(labels, range(start, end), strict=True)],
        "label": labels,
        "width": rng.integers(32, 48, count),
        "height": rng.integers(32, 48, count),
        "mode": ["L"] * count,
        "format": ["PNG"] * count,
        "frames": np.ones(count, np.int64),
        "bytes": np.full(count, (INGEST / "shards/00/00.bin").stat().st_size),
        "brightness": rng.uniform(0.2, 0.8, count),
        "contrast": rng.uniform(0.1, 0.3, count),
        "sharpness": rng.gamma(2.0, 500.0, count) + 10,
        "shard": ["00/00"] * count,
        "offset": np.zeros(count, np.int64),
    }
    made = {name: pa.array(values).cast(MANIFEST.field(name).type) for name, values in columns.items()}
    return pa.Table.from_arrays(
        [made.get(field.name, pa.nulls(count, field.type)) for field in MANIFEST], schema=MANIFEST
    )


def _hex_column(rng: np.random.Generator, count: int, digits: int) -> pa.Array:
    offsets = np.arange(0, (count + 1) * digits, digits, dtype=np.int32)
    text = rng.bytes(count * digits // 2).hex().encode()
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def validate_images(rows: int) -> None:
    """All of the stage but near-copies, and its page."""
    from stages import validate

    hide_pandas_from_pyarrow()
    validate.run(
        ingest=INGEST,
        settings=Validate(near_copies=False),
        max_reject_fraction=0.0,
        decoder="turbo",
        cache=IMAGE_CACHE,
        out=GROUPS.parent,
        reports=VALIDATE_REPORTS,
        changes=CHANGES,
    )
    draw_pages("validate", "great_expectations", "changes")
    if pq.ParquetFile(GROUPS).metadata.num_rows != sum(each.images for each in manifest_ranges(INGEST)):
        raise SystemExit("error: images are missing from the groups")


def split_images(rows: int) -> None:
    """Split; where there is a table already, beside it, and the new one must be equal."""
    from stages import split

    before = file_hash(TABLE) if TABLE.exists() else None
    config = SplitConfig(0.1, 0.1, 0)
    split.run(ingest=INGEST, groups=GROUPS, config=config, fold=0, previous=TABLE if before else None, out=TABLE.parent)
    if pq.ParquetFile(TABLE).metadata.num_rows != rows or before not in (None, file_hash(TABLE)):
        raise SystemExit("error: the split table is not what it should be")


def pack_images(rows: int) -> None:
    """Pack pixels that are made here in place of decoding."""
    from darkroom.images import range_packing
    from stages import preprocess

    def made(images: pa.Table, places: Any, shards: Path, form: Any, word: str) -> Iterator[tuple[Any, Any]]:
        yield places, np.zeros((len(places), *form.shape), np.uint8)

    setattr(range_packing, "decode_rows", made)  # noqa: B010
    preprocess.run(
        ingest=INGEST,
        splits=TABLE,
        settings=Preprocess(size=SIDE),
        decoder="turbo",
        cache=Path("cache"),
        out=ARRAYS,
    )
    packed = [load_packed(ARRAYS / name) for name in SPLITS]
    if sum(len(each.images) for each in packed) != rows or sum(len(each.ids) for each in packed) != rows:
        raise SystemExit("error: images are missing from data/preprocess")


def read_sides(rows: int) -> None:
    """What `select` reads of each image."""
    if len(shorter_sides(INGEST)) != rows:
        raise SystemExit("error: images are missing from the manifest")


def read_columns(rows: int) -> None:
    """Whole columns of hashes, one table after the other, as `diff`, `train` and `predict` read them."""
    readers: list[Callable[[], pa.Table]] = [
        lambda: read_manifest(INGEST, ["sha256"]),
        lambda: read_input_table(GROUPS, ["group"]),
        lambda: read_input_table(TABLE, ["split", "group"]),
    ]
    for read in readers:
        table = read()
        kept = table.filter(pa.array(np.arange(rows) % 2 == 0)).combine_chunks()
        if (len(table), len(kept)) != (rows, (rows + 1) // 2):
            raise SystemExit("error: rows are missing")


STEPS: dict[str, Callable[[int], None]] = {
    "make": make_tables,
    "split": split_images,
    "split again": split_images,
    "select": read_sides,
    "preprocess": pack_images,
    "preprocess again": pack_images,
    "read": read_columns,
    "validate": validate_images,
    "validate again": validate_images,
    "add": add_rows,
    "validate more": validate_images,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_tables", description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000_000, metavar="N")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    parser.add_argument(
        "--steps", nargs="+", choices=list(STEPS), default=list(STEPS), help="some of them; `make` is always done"
    )
    chosen = parser.parse_args()
    if chosen.step:
        return STEPS[chosen.step](chosen.rows)
    os.environ["PYTHONPATH"] = str(ROOT)
    rows = []
    with temporary_home() as home:
        for step in dict.fromkeys(["make", *chosen.steps]):
            ran = run(home, "benchmarks.long_tables", "--rows", str(chosen.rows), "--step", step)
            rows.append((step, f"{ran.cpu_seconds:.0f}", f"{ran.seconds:.0f}", f"{ran.peak / 2**20:,.0f}"))
            print("  ".join(rows[-1]), flush=True)
    print_table((f"{chosen.rows:,} rows", "CPU s", "wall s", "memory, MiB"), rows)


if __name__ == "__main__":
    main()
