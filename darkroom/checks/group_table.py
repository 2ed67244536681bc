"""The table of groups, written by range: the id of each image, and the name of its group."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.checks.summaries import Summaries
from darkroom.duplicates.groups import Groups
from darkroom.runtime.arrays import UInt8s

GROUPS = pa.schema([("id", pa.string()), ("group", pa.string())])


def write_groups(groups: Groups, summaries: Summaries, path: Path) -> None:
    """Write the groups, with a row group for each range of the manifest, so that they are read by range.

    An image that is alone gives its group the name, which is its SHA-256.
    """
    names = _bytes(groups.names)
    with pq.ParquetWriter(path, GROUPS) as writer:
        for number in range(len(summaries.ranges)):
            images, hashes = (summaries.table(number, name) for name in ("images", "hashes"))
            start, end = np.searchsorted(groups.rows, summaries.starts[number : number + 2])
            of_images = _bytes(hashes["sha256"].combine_chunks()).copy()
            of_images[groups.rows[start:end] - summaries.starts[number]] = names[start:end]
            ids = images["id"].to_numpy().astype(">u8").view(np.uint8).reshape(-1, 8)
            writer.write_table(pa.table([_hex(ids), _hex(of_images)], schema=GROUPS))


def _bytes(hashes: pa.FixedSizeBinaryArray) -> UInt8s:
    """binary(32) [N] as uint8 [N, 32]."""
    content = np.frombuffer(hashes.buffers()[1] or b"", np.uint8).reshape(-1, 32)
    return content[hashes.offset : hashes.offset + len(hashes)]


def _hex(rows: UInt8s) -> pa.Array:
    """uint8 [N, B] as text [N] of 2 B hex digits."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * (2 * rows.shape[1])
    return pa.Array.from_buffers(
        pa.string(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(rows.tobytes().hex().encode())]
    )
