"""Manifests of made rows in ranges of any length, without images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.images.manifest import IGNORED, MANIFEST, REJECTS, REMARKS, ManifestRange, write_part, write_receipt
from darkroom.model.classes import ClassList

LABELS = ("cat", "dog", "owl")
MODES = ("L", "RGB", "I;16", "P")


def made_rows(count: int, seed: int) -> pa.Table:
    """A manifest with few different values, so that most of them are there more than once; a fifth of the images are copies."""
    rng = np.random.default_rng(seed)
    contents = rng.integers(0, 4 * count, count)
    rows = [
        {
            "id": rng.bytes(8).hex(),
            "sha256": f"{content:064x}" if content % 2 else f"{2**255 + content:064x}",
            "path": f"{number:05}.png",
            "label": LABELS[rng.integers(3)],
            "group": [None, None, None, "walk", "river"][rng.integers(5)],
            "width": int(rng.integers(9, 13)),
            "height": int(rng.integers(9, 13)),
            "mode": MODES[rng.integers(4)],
            "format": ["PNG", "JPEG"][rng.integers(2)],
            "frames": int(rng.integers(1, 3)),
            "bytes": 100,
            "brightness": float(rng.integers(20) / 20),
            "contrast": float(rng.uniform(0, 0.5)),
            "sharpness": float(rng.choice([0.0, 7.0, rng.gamma(2, 500)])),
            "shard": "00/00",
            "offset": 0,
        }
        for number, content in enumerate(contents.tolist())
    ]
    return pa.Table.from_pylist(rows, MANIFEST)


def write_ranges(manifest: pa.Table, ends: Sequence[int], ingest: Path) -> list[ManifestRange]:
    """Write a manifest as ingest does, in ranges that end where it is said, with the tables beside it."""
    ingest.mkdir(parents=True, exist_ok=True)
    ClassList(LABELS).save(ingest / "classes.json")
    for name, schema in (("rejects", REJECTS), ("ignored", IGNORED), ("remarks", REMARKS)):
        pq.write_table(schema.empty_table(), ingest / f"{name}.parquet")
    starts = [0, *ends[:-1]]
    ranges = [
        write_part(f"{start:016x}", manifest.slice(start, end - start), ingest)[0]
        for start, end in zip(starts, ends, strict=True)
        if end > start
    ]
    write_receipt(ranges, ingest)
    return ranges
