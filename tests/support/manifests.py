"""A manifest of made rows, as ingest writes it."""

from pathlib import Path

import pyarrow as pa

from darkroom.images.manifest import write_part, write_receipt
from darkroom.runtime.cuts import range_ends, range_name


def write_manifest(manifest: pa.Table, ingest: Path) -> None:
    """Write a whole manifest in parts, cut as the survey cuts its list of paths, and the list of them.

    Args:
        manifest: with the columns of `MANIFEST`, sorted by path.
        ingest: the folder to make `manifest/` and `receipt.json` in.
    """
    paths = manifest["path"].to_pylist()
    ranges, start = [], 0
    for end in range_ends(paths):
        ranges.append(write_part(range_name(paths[start]), manifest.slice(start, end - start), ingest)[0])
        start = end
    write_receipt(ranges, ingest)
