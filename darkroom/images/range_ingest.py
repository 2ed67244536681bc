"""Ingest of one range: its images become a part of the manifest, shards and rejects; known ones are not read again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.ingest_receipts import RangeReceipt, made_from
from darkroom.images.known_images import KnownImages, image_key
from darkroom.images.manifest import MANIFEST, MEASURED, REJECTS, REMARKS, write_part
from darkroom.images.measure import NO_THUMBNAIL, Inspection, inspect_all
from darkroom.images.range_cache import FACTS, PARTS, THUMBNAILS, RangeCache, deep_rows
from darkroom.images.range_source import as_objects, changed, open_range, range_images, read_again
from darkroom.images.shards import KnownImage, PreviousShards, ShardMark, ShardWriter
from darkroom.labels.apply import LabelFixes, with_fixes
from darkroom.labels.fixes import LabelFix
from darkroom.sources.registry import source_kind
from darkroom.sources.source import Location, Reader, SourceImage

# A row that is new in the cache.
MEASURES = pa.schema([*FACTS, *THUMBNAILS])
TOGETHER = 1_000


@dataclass(frozen=True)
class RangeTask:
    """A range to make: the names of files, and no pixels.

    Attributes:
        name: of the range.
        part: SHA-256 of its rows of the survey, as `SurveyRange` has it.
        word: for the progress bar.
        source, location: as in `stages.survey.run`.
        decoder: as in `darkroom.images.decode.decode`.
        survey: the folder that the survey stage wrote.
        added: images of the inbox that are in this range, with the columns of `IMAGES`.
        inbox: the folder that they are in.
        fixes: of images of the range, and those that name an image by its id, which may be of another range.
        fixes_file: that they are in, for messages.
        cache: `.darkroom/cache`.
        others: ranges of the last run that did not stay as they were, and may hold images of this one; likelier ones first.
        marks: of the shards of these and of its own.
        previous: the folder that the last run wrote; it need not exist.
        folder: the one to write to.
    """

    name: str
    part: str
    word: str
    source: str
    location: Location
    decoder: str
    survey: Path
    added: pa.Table
    inbox: Path
    fixes: Sequence[LabelFix]
    fixes_file: Path
    cache: Path
    others: Sequence[str]
    marks: Mapping[str, ShardMark]
    previous: Path
    folder: Path


@dataclass(frozen=True)
class RangeMade:
    """What became of a range.

    Attributes:
        receipt: of it.
        shards: of it, by name.
        read: how many images were read; the others were in the cache.
        fixed: the paths and ids that fixes of its images name.
    """

    receipt: RangeReceipt
    shards: dict[str, ShardMark]
    read: int
    fixed: frozenset[str]


def ingest_range(task: RangeTask) -> RangeMade:
    """Make the rows and shards of a range, on all cores, with a progress bar.

    Raises:
        DarkroomError: when a file is not what the survey found, or is fixed twice.
    """
    listed = range_images(task.survey, task.name, task.added)
    images, hashes, sizes = as_objects(listed), listed["sha256"].to_pylist(), listed["bytes"].to_pylist()
    keys = [image_key(image, sha256) for image, sha256 in zip(images, hashes, strict=True)]
    known = KnownImages(task.cache, task.decoder, (task.name, *task.others), keys, listed["sha256"].combine_chunks())
    kind = source_kind(task.source, task.location)
    read = open_range(kind, task.location, images, task.inbox, task.added)
    columns = _Columns(task, read, known)
    fresh = [(image, size or 0) for image, size, row in zip(images, sizes, known.rows, strict=True) if row < 0]
    inspections = inspect_all(fresh, read, task.decoder, known.row_of, kind.readers, task.word)
    for image, sha256, row in zip(images, hashes, known.rows, strict=True):
        if row < 0:
            columns.add(image, sha256, next(inspections))
        else:
            columns.add_known(image, row)
    return columns.finish(listed, keys, len(fresh))


class _Columns:
    """Columns that grow by an image at a time, in the order of the images."""

    def __init__(self, task: RangeTask, read: Reader, known: KnownImages) -> None:
        self._task = task
        self._read = read
        self._known = known
        self._label_fixes = LabelFixes(task.fixes_file, task.fixes)
        self._hashes: list[str | None] = known.facts["sha256"].to_pylist()
        self._rejected = [reason is not None for reason in known.facts["reason"].to_pylist()]
        self._places = list(zip(*(known.facts[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True))
        self._measured: list[dict[str, object]] = []
        self._tables = [MEASURES.empty_table()]
        self._writer = ShardWriter(task.folder / "shards", PreviousShards(task.previous / "shards", task.marks))
        self._rows: list[int] = []
        self._ids: list[str] = []
        self._accepted: list[int] = []

    def add(self, image: SourceImage, expected: str | None, inspection: Inspection) -> None:
        """An image that was read; its content may be known, from another place."""
        sha256 = inspection.facts["sha256"]
        own_file = image.file is not None and image.place is None and image.stamp is None
        if inspection.gone and (expected or not own_file):
            raise changed(image, f"the survey could read it, and it {inspection.facts['reason']}")
        # Of an image in an archive or a bucket the hash is not known where it was never read.
        if sha256 and sha256 != expected and (expected or own_file):
            raise changed(image, "its content" if expected else "the survey could not read it")
        row = self._known.row_of.get(str(sha256))
        if row is None:
            row = len(self._hashes)
            self._measured.append({"thumbnail": NO_THUMBNAIL} | inspection.facts)
            self._set_aside(TOGETHER)
            self._hashes.append(None if sha256 is None else str(sha256))
            self._rejected.append("reason" in inspection.facts)
            if sha256:
                self._known.row_of[str(sha256)] = row
        self._add(image, row, inspection.data)

    def _set_aside(self, least: int) -> None:
        """Put what was measured into a table, where it is so many images: a dict for each takes 2 kB."""
        if len(self._measured) >= least:
            self._tables.append(pa.Table.from_pylist(self._measured, MEASURES))
            self._measured.clear()

    def add_known(self, image: SourceImage, row: int) -> None:
        """An image that is not read, unless the shard that holds its bytes is gone."""
        read = partial(read_again, self._read, image, str(self._hashes[row]))
        place = self._places[row]
        # The bytes of an image that was removed are in no shard.
        self._add(image, row, KnownImage(place if place[0] else ("", 0, place[2]), read))

    def _add(self, image: SourceImage, row: int, content: bytes | KnownImage) -> None:
        found = None if self._rejected[row] else image_id(image.path, str(self._hashes[row]))
        if not self._label_fixes.removes(image, found) and found:
            self._ids.append(found)
            self._accepted.append(len(self._rows))
            self._writer.add(found, content)
        self._rows.append(row)

    def finish(self, listed: pa.Table, keys: Sequence[str | None], read: int) -> RangeMade:
        """Write the last shard, the part of the manifest and what is cached of the range."""
        self._writer.close()
        self._set_aside(1)
        rows, measured = np.array(self._rows, dtype=np.int64), pa.concat_tables(self._tables)
        facts = pa.concat_tables([self._known.facts, measured.select(FACTS.names)]).take(rows)
        facts = self._placed(facts, keys)
        thumbnails = pa.concat_tables([self._known.thumbnails, measured.select(THUMBNAILS.names)])
        if not np.array_equal(rows, np.arange(len(thumbnails))):  # a copy of 1 kB an image
            thumbnails = thumbnails.take(rows)
        fixes = self._label_fixes.applied()
        manifest, others = self._rows_of(listed, facts, fixes)
        part, mark = write_part(self._task.name, manifest, self._task.folder)
        tables = others | {"facts": facts, "thumbnails": thumbnails, "part": pa.table([[part.sha256]], schema=PARTS)}
        RangeCache(self._task.cache, self._task.decoder, self._task.name).save(tables)
        times = pc.min_max(manifest["timestamp"]).as_py()
        receipt = RangeReceipt(
            self._task.name,
            self._made_from(listed, facts),
            part.images,
            part.sha256,
            *mark,
            others=sum(map(len, others.values())),
            deep=len(deep_rows(facts)),
            rule=None,
            first=times["min"],
            last=times["max"],
            timed=len(manifest) - manifest["timestamp"].null_count,
        )
        return RangeMade(receipt, self._writer.marks, read, self._label_fixes.found)

    def _rows_of(self, listed: pa.Table, facts: pa.Table, fixes: pa.Table) -> tuple[pa.Table, dict[str, pa.Table]]:
        """The rows of the manifest, and those of the rejects, fixes and remarks."""
        columns = {name: listed[name] for name in ("path", "label", "group", "timestamp")}
        columns |= {name: facts[name] for name in ("sha256", *MEASURED.names, "reason", "remark", "shard", "offset")}
        everything = with_fixes(pa.table({"source_split": listed["split"], **columns}), fixes)
        accepted = everything.take(pa.array(self._accepted, pa.int64()))
        accepted = accepted.append_column(MANIFEST.field("id"), pa.array(self._ids, pa.string()))
        rejected = np.setdiff1d(np.arange(len(listed)), np.array(self._accepted, dtype=np.int64))
        return accepted.select(MANIFEST.names).cast(MANIFEST), {
            "rejects": everything.take(rejected).select(REJECTS.names).cast(REJECTS),
            "fixes": fixes,
            "remarks": accepted.filter(pc.is_valid(accepted["remark"])).select(REMARKS.names).cast(REMARKS),
        }

    def _placed(self, facts: pa.Table, keys: Sequence[str | None]) -> pa.Table:
        """The facts of all images, with their keys and their places in the new shards; those that are in none have none."""
        shards: list[str | None] = [None] * len(facts)
        offsets: list[int | None] = [None] * len(facts)
        for position, name, offset in zip(self._accepted, self._writer.names, self._writer.offsets, strict=True):
            shards[position], offsets[position] = name, offset
        known = [key if sha256 else None for key, sha256 in zip(keys, facts["sha256"].to_pylist(), strict=True)]
        for name, column in (("shard", shards), ("offset", offsets), ("key", known)):
            place = FACTS.names.index(name)
            facts = facts.set_column(place, FACTS.field(name), pa.array(column, FACTS.field(name).type))
        return facts

    def _made_from(self, listed: pa.Table, facts: pa.Table) -> str:
        """Empty where a file could not be read, or has neither hash nor stamp: it is looked at again the next time."""
        unmarked = pc.and_(pc.is_null(listed["sha256"]), pc.is_null(listed["stamp"]))
        if facts["sha256"].null_count or pc.any(unmarked).as_py():
            return ""
        used = [fix for fix in self._task.fixes if fix.image in self._label_fixes.found]
        return made_from(self._task.part, self._task.added, used)


def image_id(path: str, sha256: str) -> str:
    """The id of an image, which is its bytes at its place: the same bytes at another path are another image."""
    return hashlib.sha256(f"{path}\0{sha256}".encode()).hexdigest()[:16]
