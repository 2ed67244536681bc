"""Small grey pictures of many images, for comparing them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darkroom.images.cache import SeenImages
from darkroom.images.decode import decode
from darkroom.images.measure import MEASURED_SIDE, THUMBNAIL_SIDE, fingerprint
from darkroom.images.shards import read_shards

UInt8s = npt.NDArray[np.uint8]


def read_thumbnails(manifest: pa.Table, rows: npt.NDArray[np.int64], ingest: Path, seen: Path, decoder: str) -> UInt8s:
    """Thumbnails of some images: those that ingest kept, the others from the shards; both ways they are the same.

    Args:
        manifest: the columns `sha256`, `shard`, `offset`, `bytes`.
        rows: positions in the manifest, int64 [N].
        ingest: the folder that the ingest stage wrote.
        seen: the folder `.darkroom/seen`.
        decoder: that ingest used.

    Returns:
        uint8 [N, 32, 32], grey, the whole picture stretched.
    """
    wanted = manifest.select(["sha256", "shard", "offset", "bytes"]).take(rows)
    kept = SeenImages(seen, decoder)
    found = kept.rows(wanted["sha256"].to_pylist())
    thumbnails = np.empty((len(rows), THUMBNAIL_SIDE, THUMBNAIL_SIDE), np.uint8)
    thumbnails[found >= 0] = kept.thumbnails()[found[found >= 0]]
    missing = np.flatnonzero(found < 0)
    left = wanted.take(missing)
    places = zip(*(left[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)
    for position, data in zip(missing, read_shards(ingest / "shards", places), strict=True):
        decoded = decode(data, decoder, least_side=MEASURED_SIDE, grey=True)
        thumbnails[position] = fingerprint(decoded.pixels).thumbnail
    return thumbnails
