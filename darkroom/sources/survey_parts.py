"""Writes a survey: a part for each range, and a part that did not change stays the file that it was."""

import hashlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.runtime.cuts import range_ends, range_name
from darkroom.runtime.files import write_json
from darkroom.sources.listing import CONTAINERS, COUNTS, FILES, IMAGES, LISTING, RECEIPT, SurveyRange
from darkroom.sources.previous_parts import PreviousParts, SurveyPart
from darkroom.sources.source import Ignored
from darkroom.sources.zip_columns import ZipColumns

# So many paths are text at a time: a million at once take 100 MB.
AT_ONCE = 10_000


@dataclass(frozen=True)
class Found:
    """The numbers of a survey: images, classes, files that are there, and those of them that were hashed.

    `whole` says whether all that is there could be hashed.
    """

    images: int
    classes: int
    files: int
    hashed: int
    whole: bool = True


def paths_of(column: pa.ChunkedArray) -> Iterator[str]:
    """The paths of a column, one after the other."""
    for start in range(0, len(column), AT_ONCE):
        yield from column.slice(start, AT_ONCE).to_pylist()


class SurveyWriter:
    """Writes a survey, a range at a time; equal images give equal files.

    `images/<range>.parquet` has the columns of `IMAGES`, and `receipt.json` the ranges in order. `files.parquet` has those of
    `CONTAINERS`, `counts.parquet` those of `COUNTS`: the images of each class in each split of the source.
    """

    def __init__(self, folder: Path, before: Path, previous: PreviousParts | None = None) -> None:
        """Args:
        folder: to write to; what an earlier writer left there goes.
        before: the folder of the survey before this one; it need not exist.
        previous: its parts, where ranges have marks.
        """
        self._folder, self._before, self._previous = folder, before, previous
        self._parts: list[SurveyPart] = []
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._inside: Counter[str | None] = Counter()
        shutil.rmtree(folder / "images", ignore_errors=True)
        (folder / "images").mkdir()

    @property
    def images(self) -> int:
        """How many were added."""
        return self._counts.total()

    def keep(self, first_path: str, mark: str) -> bool:
        """Add the next range as it was, where it has the same mark and its file is there; whether it could be."""
        name = range_name(first_path)
        if self._previous is None or (part := self._previous.find(name, mark)) is None:
            return False
        self._previous.link(name, self._folder)
        self._count(part)
        return True

    def add(self, images: pa.Table, mark: str = "") -> None:
        """Add the images of the next range, with the columns of `IMAGES`; what changes when they do."""
        name, rows = range_name(images["path"][0].as_py()), images.cast(IMAGES)
        content = as_parquet(rows)
        self._write(f"images/{name}.parquet", content)
        sha256 = rows_sha256 = hashlib.sha256(content).hexdigest()
        if rows["place"].null_count < len(rows):
            rows_sha256 = hashlib.sha256(as_parquet(rows.drop_columns(["file", "place"]))).hexdigest()
        counted = images.group_by(["label", "split"]).aggregate([([], "count_all")])
        counts = list(zip(*counted.to_pydict().values(), strict=True))
        inside = pc.value_counts(images.filter(pc.is_valid(images["place"]))["file"]).to_pylist()
        self._count(
            SurveyPart(
                mark,
                SurveyRange(name, len(images), sha256, rows_sha256),
                counts,
                [(each["values"], each["counts"]) for each in inside],
            )
        )

    def _count(self, part: SurveyPart) -> None:
        self._parts.append(part)
        for label, split, number in part.counts:
            self._counts[label, split] += number
        for file, number in part.inside:
            self._inside[file] += number

    def close(self, containers: pa.Table, ignored: Sequence[Ignored], classes: Sequence[str]) -> None:
        """Write the rest.

        Args:
            containers: the columns of `FILES`, of the files that are no image themselves.
            ignored, classes: as in `Listing`.
        """
        number = pa.array([self._inside[path] for path in containers["path"].to_pylist()], pa.int64())
        counts = sorted(self._counts.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][1] is None))
        tables = {
            "files": containers.append_column(CONTAINERS.field("images"), number),
            "ignored": pa.table(list(zip(*sorted(ignored), strict=True)) or [(), ()], schema=LISTING["ignored"]),
            "classes": pa.table([list(classes)], schema=LISTING["classes"]),
            "counts": pa.table(
                [[key[0] for key, _ in counts], [key[1] for key, _ in counts], [found for _, found in counts]],
                schema=COUNTS,
            ),
        }
        for name, table in tables.items():
            self._write(f"{name}.parquet", as_parquet(table))
        write_json(self._folder / RECEIPT, {"ranges": [asdict(each.range) for each in self._parts]})
        if self._previous:
            self._previous.save(self._parts)

    def _write(self, name: str, content: bytes) -> None:
        """Write a file; one that has the same bytes already gets a second name, by which DVC knows it without reading it."""
        before = self._before / name
        try:
            if before.stat().st_size == len(content) and before.read_bytes() == content:
                os.link(before, self._folder / name)
                return
        except OSError:  # There is none, or the file system has no links.
            pass
        (self._folder / name).write_bytes(content)


def as_parquet(table: pa.Table) -> bytes:
    """A Parquet file; equal rows give equal bytes, whatever chunks they are in."""
    buffer = io.BytesIO()
    pq.write_table(table.combine_chunks(), buffer, compression="zstd")
    return buffer.getvalue()


def write_listing(tables: dict[str, pa.Table], writer: SurveyWriter) -> None:
    """Write the tables of `darkroom.sources.listing.to_tables`, with `files`: those of the source, the columns of `FILES`."""
    images, files = tables["images"], tables["files"]
    rows = pc.index_in(images["file"], files["path"].combine_chunks(), skip_nulls=True)
    whole = pc.if_else(pc.is_null(images["place"]), rows, None)
    for name in ("bytes", "sha256"):
        images = images.append_column(IMAGES.field(name), files[name].take(whole))
    start = 0
    for end in range_ends(paths_of(images["path"])):
        writer.add(images.slice(start, end - start))
        start = end
    containers = files.filter(pc.invert(pc.is_in(pa.array(range(len(files))), value_set=pc.drop_null(whole))))
    ignored = [Ignored(*values) for values in zip(*tables["ignored"].to_pydict().values(), strict=True)]
    writer.close(containers.cast(FILES), ignored, tables["classes"]["name"].to_pylist())


def write_columns(columns: ZipColumns, writer: SurveyWriter) -> None:
    """Write the images of an archive, of which neither bytes nor hashes are known."""
    start = 0
    for end in range_ends(paths_of(columns.names)):
        mark = columns.mark(start, end)
        if not writer.keep(columns.names[start].as_py(), mark):
            none = pa.nulls(end - start)
            images = columns.images(start, end).append_column("bytes", none).append_column("sha256", none)
            writer.add(images, mark)
        start = end
