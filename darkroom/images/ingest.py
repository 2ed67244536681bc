"""Ingest a source: its images become manifest, rejects and shards; images in the cache are not read again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.images.cache import FACTS, ImageCache
from darkroom.images.deep import measure_deep
from darkroom.images.manifest import MANIFEST, MEASURED, REJECTS, REMARKS, write_manifest
from darkroom.images.measure import NO_THUMBNAIL, Inspection, inspect_all
from darkroom.images.shards import KnownImage, Place, PreviousShards, ShardWriter
from darkroom.labels.apply import LabelFixes, with_fixes
from darkroom.model.depth import Depth, save_depth
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.source import Reader, SourceImage


@dataclass(frozen=True)
class IngestResult:
    """Attributes:
    manifest: the columns of `MANIFEST`, sorted by path.
    rejects: the columns of `REJECTS`, sorted by path.
    fixes: the columns of `darkroom.labels.fixes.APPLIED`, sorted by path.
    remarks: the columns of `REMARKS`, sorted by path.
    depth: the rule for files that hold other than 8 bits a value; None where there are none.
    read: how many images were read; the others were in the cache.
    """

    manifest: pa.Table
    rejects: pa.Table
    fixes: pa.Table
    remarks: pa.Table
    depth: Depth | None
    read: int

    @property
    def unreadable(self) -> pa.Table:
        """The rejects that can't be read as images; reviewers removed the others."""
        return self.rejects.filter(pc.is_null(self.rejects["reviewer"]))

    def save(self, folder: Path) -> None:
        """Write the tables."""
        write_manifest(self.manifest, folder)
        save_depth(self.depth, folder)
        for name in ("rejects", "fixes", "remarks"):
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")


def ingest_images(
    images: list[SourceImage],
    hashes: Sequence[str | None],
    sizes: Sequence[int],
    read: Reader,
    decoder: str,
    depth: str,
    label_fixes: LabelFixes,
    cache: ImageCache,
    previous_shards: Path,
    shards: Path,
    readers: int | None = None,
) -> IngestResult:
    """Make the rows and shards of all images, on all cores, with a progress bar.

    Args:
        images: sorted by path.
        hashes: SHA-256 of each image as the survey found it; None where it did not hash the image by itself.
        sizes: the bytes of each image, about.
        read: gives the bytes of an image.
        decoder: as in `darkroom.images.decode.decode`.
        depth: `auto`, `full` or `range`, as `ingest.depth`.
        label_fixes: what reviewers decided; a removed image becomes a reject, and its bytes go to no shard.
        cache: results of earlier runs; it is replaced by those of this one.
        previous_shards: the shards of the previous run; the folder need not exist.
        shards: the folder to make.
        readers: as `SourceKind.readers`.

    Raises:
        DarkroomError: when a file is not what the survey found, a fix is of no image, or `depth` has no rule for all images.
    """
    known = [sha256 or cache.stamps.get(stamp_key(image)) for image, sha256 in zip(images, hashes, strict=True)]
    rows = cache.rows(known).tolist()
    columns = _Columns(read, label_fixes, cache, previous_shards, shards)
    fresh = [(image, size) for image, size, row in zip(images, sizes, rows, strict=True) if row < 0]
    inspections = inspect_all(fresh, read, decoder, columns.row_of, readers)
    for image, sha256, row in zip(images, known, rows, strict=True):
        if row < 0:
            columns.add(image, sha256, next(inspections))
        else:
            columns.add_known(image, row)
    return columns.finish(images, len(fresh), decoder, depth)


class _Columns:
    """Columns that grow by an image at a time, in the order of the images."""

    def __init__(
        self, read: Reader, label_fixes: LabelFixes, cache: ImageCache, previous_shards: Path, shards: Path
    ) -> None:
        facts = cache.facts
        self._read = read
        self._label_fixes = label_fixes
        self._cache = cache
        self._hashes: list[str | None] = facts["sha256"].to_pylist()
        self._rejected = [reason is not None for reason in facts["reason"].to_pylist()]
        self._places = list(zip(*(facts[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True))
        self._measured: list[dict[str, object]] = []
        self._shards = shards
        self._writer = ShardWriter(shards, PreviousShards(previous_shards, cache.shard_checksums))
        self._rows: list[int] = []
        self._ids: list[str] = []
        self._accepted: list[int] = []
        self.row_of = {sha256: row for row, sha256 in enumerate(self._hashes) if sha256}

    def add(self, image: SourceImage, expected: str | None, inspection: Inspection) -> None:
        """An image that was read; its content may be known, from another place."""
        sha256 = inspection.facts["sha256"]
        own_file = image.file is not None and image.place is None and image.stamp is None
        if inspection.gone and (expected or not own_file):
            raise _changed(image, f"the survey could read it, and it {inspection.facts['reason']}")
        # Of an image in an archive or a bucket the hash is not known where it was never read.
        if sha256 and sha256 != expected and (expected or own_file):
            raise _changed(image, "its content" if expected else "the survey could not read it")
        row = self.row_of.get(str(sha256))
        if row is None:
            row = len(self._hashes)
            self._measured.append({"thumbnail": NO_THUMBNAIL} | inspection.facts)
            self._hashes.append(None if sha256 is None else str(sha256))
            self._rejected.append("reason" in inspection.facts)
            if sha256:
                self.row_of[str(sha256)] = row
        self._add(image, row, inspection.data)

    def add_known(self, image: SourceImage, row: int) -> None:
        """An image that is not read, unless the shard that holds its bytes is gone."""
        self._add(
            image, row, KnownImage(self._places[row], partial(_read_again, self._read, image, str(self._hashes[row])))
        )

    def _add(self, image: SourceImage, row: int, content: bytes | KnownImage) -> None:
        found = None if self._rejected[row] else image_id(image.path, str(self._hashes[row]))
        if not self._label_fixes.removes(image, found) and found:
            self._ids.append(found)
            self._accepted.append(len(self._rows))
            self._writer.add(found, content)
        self._rows.append(row)

    def finish(self, images: list[SourceImage], read: int, decoder: str, depth_setting: str) -> IngestResult:
        """Write the last shard, make the tables, and save the cache."""
        self._writer.close()
        fixes = self._label_fixes.applied()
        measured = pa.Table.from_pylist(self._measured, FACTS)
        facts = pa.concat_tables([self._cache.facts, measured]).combine_chunks()
        rows = np.array(self._rows, dtype=np.int64)
        places = self._new_places(facts["bytes"].to_pylist())
        accepted_rows = rows[np.array(self._accepted, np.int64)]
        paths = [images[position].path for position in self._accepted]
        facts, depth = measure_deep(
            facts, accepted_rows, paths, places, self._shards, decoder, depth_setting, self._cache.depth
        )
        self._save(images, facts, rows, places, depth)
        listed = pa.table(
            {
                "path": [image.path for image in images],
                "label": [image.label for image in images],
                "source_split": pa.array([image.split for image in images], pa.string()),
                "group": pa.array([image.group for image in images], pa.string()),
                "timestamp": pa.array([image.timestamp for image in images], MANIFEST.field("timestamp").type),
            }
        )
        columns = facts.select(["sha256", *MEASURED.names, "reason", "remark"]).take(rows)
        everything = pa.table([*listed.columns, *columns.columns], names=[*listed.column_names, *columns.column_names])
        everything = with_fixes(everything, fixes)
        accepted = everything.take(pa.array(self._accepted, pa.int64()))
        ids = {"id": pa.array(self._ids, pa.string()), "shard": self._writer.names, "offset": self._writer.offsets}
        for name, column in ids.items():
            accepted = accepted.append_column(name, pa.array(column, MANIFEST.field(name).type))
        rejected = np.setdiff1d(np.arange(len(images)), np.array(self._accepted, dtype=np.int64))
        rejects = everything.take(rejected).select(REJECTS.names).cast(REJECTS)
        remarks = accepted.filter(pc.is_valid(accepted["remark"])).select(REMARKS.names).cast(REMARKS)
        return IngestResult(accepted.select(MANIFEST.names).cast(MANIFEST), rejects, fixes, remarks, depth, read)

    def _new_places(self, lengths: list[int]) -> dict[int, Place]:
        """Row → place of its first image in the new shards."""
        places: dict[int, Place] = {}
        for position, name, offset in zip(self._accepted, self._writer.names, self._writer.offsets, strict=True):
            row = self._rows[position]
            places.setdefault(row, (name, offset, lengths[row]))
        return places

    def _save(
        self,
        images: list[SourceImage],
        facts: pa.Table,
        rows: Int64s,
        places: dict[int, Place],
        depth: Depth | None,
    ) -> None:
        """Save a row for each content of this run, with its place in the new shards."""
        found = [places.get(row) for row in range(len(facts))]
        files = [place and place[0] for place in found]
        offsets = [place and place[1] for place in found]
        for name, column in (("shard", files), ("offset", offsets)):
            position = facts.column_names.index(name)
            facts = facts.set_column(position, FACTS.field(name), pa.array(column, FACTS.field(name).type))
        used = np.unique(rows[[self._hashes[row] is not None for row in self._rows]])
        stamps = {
            stamp_key(image): sha256
            for image, row in zip(images, self._rows, strict=True)
            if image.stamp and (sha256 := self._hashes[row])
        }
        self._cache.save(facts.take(used), stamps, self._writer.checksums, depth)


def _read_again(read: Reader, image: SourceImage, sha256: str) -> bytes:
    try:
        content = read(image)
    except OSError as error:
        raise _changed(image, f"the survey could read it, and it can't be read: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _changed(image, "its content")
    return content


def _changed(image: SourceImage, what: str) -> DarkroomError:
    return DarkroomError(
        f"{printable(image.path)} changed while it was ingested: run the line again when nothing writes to the source and all "
        f"of it is there ({printable(what)})"
    )


def image_id(path: str, sha256: str) -> str:
    """The id of an image, which is its bytes at its place: the same bytes at another path are another image."""
    return hashlib.sha256(f"{path}\0{sha256}".encode()).hexdigest()[:16]


def stamp_key(image: SourceImage) -> str:
    """An archive entry's stamp together with its path."""
    return f"{image.path}\0{image.stamp}"
