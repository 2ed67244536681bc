"""What earlier runs know of the images of a range: of this range, and of others that did not stay as they were."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.range_cache import FACTS, THUMBNAILS, RangeCache
from darkroom.runtime.arrays import Int64s
from darkroom.sources.source import SourceImage

# Ranges in which contents are looked for that are known only when they were read, as those of files that moved in an archive.
NEAR = 3


class KnownImages:
    """Rows that earlier runs measured.

    Attributes:
        facts, thumbnails: with the columns of `FACTS` and `THUMBNAILS`.
        rows: of these, the row of each image; -1 where it is not known.
        row_of: SHA-256 → row.
    """

    def __init__(self, cache: Path, decoder: str, names: Sequence[str], keys: Sequence[str | None], hashes: pa.Array):
        """Args:
        cache: `.darkroom/cache`; it need not exist.
        decoder: as in `darkroom.images.decode.decode`.
        names: of the ranges to look in, in this order: the range itself, and others until all images are found.
        keys: of the images, as `image_key` gives them.
        hashes: SHA-256 of each image, null where the survey does not know it.
        """
        facts, thumbnails, count = [FACTS.empty_table()], [THUMBNAILS.empty_table()], 0
        rows = np.full(len(keys), -1, np.int64)
        for place, name in enumerate(names):
            left = np.flatnonzero(rows < 0)
            if place and not len(left):
                break
            ranges = RangeCache(cache, decoder, name)
            old = ranges.load("facts")
            if not old:
                continue
            found = _find(old["facts"], pa.array(keys, pa.string()).take(left), hashes.take(left))
            unseen = place < NEAR and hashes.take(left[found < 0]).null_count
            used = np.arange(len(old["facts"])) if place == 0 or unseen else np.unique(found[found >= 0])
            if not len(used) or not (pictures := ranges.load("thumbnails")):
                continue
            whole = len(used) == len(old["facts"])  # then a copy of 1 kB an image is left out
            facts.append(old["facts"] if whole else old["facts"].take(used))
            thumbnails.append(pictures["thumbnails"] if whole else pictures["thumbnails"].take(used))
            rows[left[found >= 0]] = count + np.searchsorted(used, found[found >= 0])
            count += len(used)
        self.facts = pa.concat_tables(facts).combine_chunks()
        self.thumbnails = pa.concat_tables(thumbnails)
        self.rows = rows.tolist()
        self.row_of = {sha256: row for row, sha256 in enumerate(self.facts["sha256"].to_pylist()) if sha256}


def _find(facts: pa.Table, keys: pa.Array, hashes: pa.Array) -> Int64s:
    """The row of each image in the facts of a range, at its own place where there are copies; -1 where it is not there."""
    by_key = pc.index_in(keys, facts["key"].combine_chunks(), skip_nulls=True)
    by_hash = pc.index_in(hashes, facts["sha256"].combine_chunks(), skip_nulls=True)
    found = pc.coalesce(by_key, by_hash).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def image_key(image: SourceImage, sha256: str | None) -> str | None:
    """By what an image is the one it was: its path, and its stamp or else its hash; None where it has neither."""
    return f"{image.path}\0{image.stamp or sha256}" if image.stamp or sha256 else None
