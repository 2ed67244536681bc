"""The cache of ranges: what the last run measured of the images of each, so that no image is decoded twice."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.cache import decoding_identity
from darkroom.images.manifest import MEASURED, ManifestRange
from darkroom.images.measure import THUMBNAIL_SIDE
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import Int64s, UInt8s
from darkroom.runtime.cache import TableCache

# A row for each image of a range, in the order of their paths: its columns of the manifest, or why it is rejected, and where
# its bytes are in the shards of that run.
FACTS = pa.schema(
    [
        ("sha256", pa.string()),
        *MEASURED,
        ("reason", pa.string()),
        ("remark", pa.string()),
        # Of files that hold other than 8 bits a value; null for all others. `rule` is that by which they were measured.
        ("kind", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("declared_low", pa.float64()),
        ("declared_high", pa.float64()),
        ("rule", pa.string()),
        # As `darkroom.images.known_images.image_key` gives it; null where the content is not known.
        ("key", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
    ]
)
THUMBNAILS = pa.schema([("thumbnail", pa.binary(THUMBNAIL_SIDE * THUMBNAIL_SIDE))])
PARTS = pa.schema([("sha256", pa.string())])


class RangeCache:
    """What the last run measured of the images of one range: `.darkroom/cache/ingest/<identity>/<range>/`.

    It is written beside that of the run before, and replaces it when the outputs of the run are in their place.
    """

    def __init__(self, cache: Path, decoder: str, name: str) -> None:
        """Args:
        cache: `.darkroom/cache`; it need not exist.
        decoder: what was measured with another one is somewhere else.
        name: of the range.
        """
        self._folder = ranges_folder(cache, decoder) / name
        self._fresh = self._folder.with_name(f"{name}.new")

    def load(self, *names: str, fresh: bool = False) -> dict[str, pa.Table]:
        """Some of the tables that `save` takes; none where there are none, or where they are damaged.

        Args:
            names: of those to read.
            fresh: of this run, where it made some.
        """
        folder = self._fresh if fresh and self._fresh.exists() else self._folder
        return TableCache(folder, "").load(names)

    def save(self, tables: dict[str, pa.Table]) -> None:
        """Write what this run made of the range.

        Args:
            tables: `facts`, `thumbnails` and `part` with the columns of `FACTS`, `THUMBNAILS` and `PARTS`: a row for each
                image, and the SHA-256 of the part of the manifest; `rejects`, `fixes`, `remarks` of the range.
        """
        TableCache(self._fresh, "").save(tables)

    def commit(self) -> None:
        """Put what this run made in the place of what the last one did; where it made nothing, that stays."""
        if self._fresh.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._fresh.rename(self._folder)


def ranges_folder(cache: Path, decoder: str) -> Path:
    """The folder of the ranges that were measured with a decoder, and the code and packages of now."""
    identity = f"{decoding_identity(decoder)} {', '.join(FACTS.names)}"
    return cache / "ingest" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def range_thumbnails(cache: Path, decoder: str, part: ManifestRange) -> UInt8s | None:
    """The thumbnails of a part of the manifest, uint8 [n, 32, 32] in the order of its rows; None where they are not cached.

    Args:
        cache: `.darkroom/cache`; it need not exist.
        decoder: that ingest used.
        part: of the manifest. Thumbnails that are not of exactly this part are not given.
    """
    tables = RangeCache(cache, decoder, part.name).load("facts", "thumbnails", "part")
    if not tables or tables["part"]["sha256"].to_pylist() != [part.sha256]:
        return None
    accepted = placed_rows(tables["facts"])
    thumbnails = as_pixels(tables["thumbnails"])
    return thumbnails if len(accepted) == len(thumbnails) else thumbnails[accepted]


def placed_rows(facts: pa.Table) -> Int64s:
    """The rows of images that are in the manifest, int64 [n]: those whose bytes are in the shards."""
    return np.flatnonzero(facts["shard"].is_valid().to_numpy())


def deep_rows(facts: pa.Table) -> Int64s:
    """Those of them that hold other than 8 bits a value, int64 [n]."""
    return np.flatnonzero(pc.and_(facts["shard"].is_valid(), facts["kind"].is_valid()).to_numpy())


def as_pixels(thumbnails: pa.Table) -> UInt8s:
    """The column of `THUMBNAILS` as uint8 [N, 32, 32]."""
    column = thumbnails["thumbnail"].combine_chunks()
    content = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return content.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)[column.offset : column.offset + len(column)]


def rule_text(depth: Depth | None) -> str | None:
    """A rule as `FACTS` has it."""
    return json.dumps(depth.to_dict()) if depth else None
