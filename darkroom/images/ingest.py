"""From a source's images to manifest, rejects and shards; what is known of an image already is not found out again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from darkroom.images.cache import FACTS, SeenImages
from darkroom.images.examine import Examined, examine_all
from darkroom.images.manifest import MANIFEST, MEASURED, REJECTS
from darkroom.images.shards import Known, ShardsBefore, ShardWriter
from darkroom.labels.apply import Fixing, with_fixes
from darkroom.runtime.errors import DarkroomError
from darkroom.sources.source import SourceImage


@dataclass(frozen=True)
class TakenIn:
    """Attributes:
    manifest: the columns of `MANIFEST`, sorted by path.
    rejects: the columns of `REJECTS`, sorted by path.
    fixes: the columns of `darkroom.labels.fixes.APPLIED`, sorted by path.
    read: how many images were read; the others were known.
    """

    manifest: pa.Table
    rejects: pa.Table
    fixes: pa.Table
    read: int


def take_in(
    images: list[SourceImage],
    hashes: Mapping[str, str],
    decoder: str,
    fixing: Fixing,
    seen: SeenImages,
    before: Path,
    shards: Path,
) -> TakenIn:
    """Make rows and shards of all images, on all cores, with a progress bar.

    Args:
        images: sorted by path.
        hashes: path → SHA-256 of the images that are files of their own, as the survey found them.
        decoder: as in `darkroom.images.decode.decode`.
        fixing: what reviewers decided; a removed image becomes a reject, and its bytes go to no shard.
        seen: what earlier runs learned; what it keeps is replaced by what is known now.
        before: the shards of the run before, if they are there.
        shards: the folder to make.

    Raises:
        DarkroomError: when a file is not what the survey found, or a fix is of no image.
    """
    known = [hashes.get(image.path) or seen.stamps.get(_stamp(image)) for image in images]
    rows = seen.rows(known).tolist()
    intake = _Intake(fixing, seen, before, shards)
    fresh = [image for image, row in zip(images, rows, strict=True) if row < 0]
    examined = examine_all(fresh, decoder, intake.row_of)
    for image, sha256, row in zip(images, known, rows, strict=True):
        if row < 0:
            intake.add(image, sha256, next(examined))
        else:
            intake.add_known(image, row)
    return intake.finish(images, len(fresh))


class _Intake:
    """Columns that grow by an image at a time, in the order of the images."""

    def __init__(self, fixing: Fixing, seen: SeenImages, before: Path, shards: Path) -> None:
        facts = seen.facts
        self._fixing = fixing
        self._seen = seen
        self._hashes: list[str | None] = facts["sha256"].to_pylist()
        self._rejected = [reason is not None for reason in facts["reason"].to_pylist()]
        self._places = list(zip(*(facts[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True))
        self._learned: list[dict[str, object]] = []
        self._writer = ShardWriter(shards, ShardsBefore(before, seen.shard_sums))
        self._rows: list[int] = []
        self._ids: list[str] = []
        self._taken: list[int] = []
        self.row_of = {sha256: row for row, sha256 in enumerate(self._hashes) if sha256}

    def add(self, image: SourceImage, expected: str | None, examined: Examined) -> None:
        """An image that was read; its content may be known, from another place."""
        sha256 = examined.facts["sha256"]
        # What could be hashed and is not read, such as a file of many gigabytes, is a reject.
        if expected and sha256 and sha256 != expected:
            raise _changed(image)
        row = self.row_of.get(str(sha256))
        if row is None:
            row = len(self._hashes)
            self._learned.append(examined.facts | {"thumbnail": examined.thumbnail})
            self._hashes.append(None if sha256 is None else str(sha256))
            self._rejected.append("reason" in examined.facts)
            if sha256:
                self.row_of[str(sha256)] = row
        self._add(image, row, examined.data)

    def add_known(self, image: SourceImage, row: int) -> None:
        """An image that is not read, unless the shard that holds its bytes is gone."""
        self._add(image, row, Known(self._places[row], partial(_read_again, image, str(self._hashes[row]))))

    def _add(self, image: SourceImage, row: int, content: bytes | Known) -> None:
        image_id = None
        if not self._rejected[row]:
            # An image is its bytes at its place: the same bytes at another path are another image.
            image_id = hashlib.sha256(f"{image.path}\0{self._hashes[row]}".encode()).hexdigest()[:16]
        if not self._fixing.removes(image, image_id) and image_id:
            self._ids.append(image_id)
            self._taken.append(len(self._rows))
            self._writer.add(image_id, content)
        self._rows.append(row)

    def finish(self, images: list[SourceImage], read: int) -> TakenIn:
        """Write the last shard, make the tables, and keep what is known."""
        self._writer.close()
        fixes = self._fixing.applied()
        learned = pa.Table.from_pylist(self._learned, FACTS)
        facts = pa.concat_tables([self._seen.facts, learned]).combine_chunks()
        rows = np.array(self._rows, dtype=np.int64)
        self._save(images, facts, rows)
        listed = pa.table(
            {
                "path": [image.path for image in images],
                "label": [image.label for image in images],
                "source_split": pa.array([image.split for image in images], pa.string()),
                "group": pa.array([image.group for image in images], pa.string()),
                "timestamp": pa.array([image.timestamp for image in images], MANIFEST.field("timestamp").type),
            }
        )
        told = facts.select(["sha256", *MEASURED.names, "reason"]).take(rows)
        everything = pa.table([*listed.columns, *told.columns], names=[*listed.column_names, *told.column_names])
        everything = with_fixes(everything, fixes)
        taken = everything.take(pa.array(self._taken, pa.int64()))
        places = {"id": pa.array(self._ids, pa.string()), "shard": self._writer.names, "offset": self._writer.offsets}
        for name, column in places.items():
            taken = taken.append_column(name, pa.array(column, MANIFEST.field(name).type))
        left = np.setdiff1d(np.arange(len(images)), np.array(self._taken, dtype=np.int64))
        rejects = everything.take(left).select(REJECTS.names).cast(REJECTS)
        return TakenIn(taken.select(MANIFEST.names).cast(MANIFEST), rejects, fixes, read)

    def _save(
        self, images: list[SourceImage], facts: pa.Table, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> None:
        """Keep a row for each content of this run, with the place of its first image in the new shards."""
        files: list[str | None] = [None] * len(facts)
        offsets: list[int | None] = [None] * len(facts)
        for position, name, offset in zip(self._taken, self._writer.names, self._writer.offsets, strict=True):
            row = self._rows[position]
            if files[row] is None:
                files[row], offsets[row] = name, offset
        for name, column in (("shard", files), ("offset", offsets)):
            position = facts.column_names.index(name)
            facts = facts.set_column(position, FACTS.field(name), pa.array(column, FACTS.field(name).type))
        used = np.unique(rows[[self._hashes[row] is not None for row in self._rows]])
        stamps = {
            _stamp(image): sha256
            for image, row in zip(images, self._rows, strict=True)
            if image.stamp and (sha256 := self._hashes[row])
        }
        self._seen.save(facts.take(used), stamps, self._writer.sums)


def _read_again(image: SourceImage, sha256: str) -> bytes:
    content = image.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _changed(image)
    return content


def _changed(image: SourceImage) -> DarkroomError:
    return DarkroomError(f"{image.path} changed while it was taken in: run the line again when the source is still")


def _stamp(image: SourceImage) -> str:
    """The mark of an archive's entry together with its path."""
    return f"{image.path}\0{image.stamp}"
