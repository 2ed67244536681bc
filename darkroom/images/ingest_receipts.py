"""Receipts of ingest: what each range was made from, and what it is, so that a range that did not change is left alone."""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from darkroom.images.manifest import ManifestRange, part_path
from darkroom.images.range_cache import RangeCache, ranges_folder
from darkroom.images.shards import PreviousShards, ShardMark
from darkroom.labels.fixes import LabelFix
from darkroom.runtime.cache import TableCache
from darkroom.runtime.files import file_hash

RECEIPTS = pa.schema(
    [
        ("name", pa.string()),
        ("made_from", pa.string()),
        ("images", pa.int64()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("others", pa.int64()),
        ("deep", pa.int64()),
        ("rule", pa.string()),
        ("first", pa.timestamp("us", tz="UTC")),
        ("last", pa.timestamp("us", tz="UTC")),
        ("timed", pa.int64()),
    ]
)
MARKS = pa.schema(
    [("range", pa.string()), ("shard", pa.string()), *zip(ShardMark._fields, [pa.int64()] * 3, strict=True)]
)
# The tables of rows that are no rows of the manifest.
OTHERS = ("rejects", "fixes", "remarks")
# The code that decides what a range becomes, beside what decides how a file is decoded.
CODE = ("deep.py", "manifest.py", "range_ingest.py", "shards.py", "../labels/apply.py")


@dataclass(frozen=True)
class RangeReceipt:
    """What a range was made from, and what it is.

    Attributes:
        name: of the range.
        made_from: as the function gives it; empty where the range is made again in each run.
        images: in its part of the manifest; without one there is no part.
        sha256, bytes, mtime_ns: of the file of that part; one with both of the latter is not read again.
        others: rows of the range in the tables of rejects, fixes and remarks.
        deep: how many of its images hold other than 8 bits a value.
        rule: by which these were measured; None where there are none.
        first, last, timed: the first and the last time of its images, and how many have one.
    """

    name: str
    made_from: str
    images: int
    sha256: str
    bytes: int
    mtime_ns: int
    others: int
    deep: int
    rule: str | None
    first: datetime | None
    last: datetime | None
    timed: int

    @property
    def part(self) -> ManifestRange:
        return ManifestRange(self.name, self.images, self.sha256)


class RangesBefore:
    """The ranges that the last run made, where they are still what it left."""

    def __init__(self, cache: Path, decoder: str, out: Path) -> None:
        """Args:
        cache: `.darkroom/cache`; it need not exist.
        decoder: ranges that were made with another one are forgotten.
        out: the folder that the last run wrote; it need not exist.
        """
        self._cache, self._decoder, self._out = cache, decoder, out
        self._receipts = TableCache(cache / "ingest" / "receipts", _identity(cache, decoder))
        self._marks = TableCache(cache / "ingest" / "shards", "1")
        table = self._receipts.load().get("receipts", RECEIPTS.empty_table())
        self.receipts = {each["name"]: RangeReceipt(**each) for each in table.to_pylist()}
        self.shards: dict[str, dict[str, ShardMark]] = {}
        for name, shard, *mark in zip(
            *self._marks.load().get("shards", MARKS.empty_table()).to_pydict().values(), strict=True
        ):
            self.shards.setdefault(name, {})[shard] = ShardMark(*mark)

    def holds(self, name: str, made_from: str) -> bool:
        """Whether a range is made from the same, and its files are what it became."""
        receipt = self.receipts.get(name)
        if receipt is None or not made_from or receipt.made_from != made_from:
            return False
        shards = PreviousShards(self._out / "shards", self.shards.get(name, {}))
        return (
            self._has_part(receipt)
            and all(map(shards.is_whole, self.shards.get(name, {})))
            and self._has_cache(receipt)
        )

    def _has_cache(self, receipt: RangeReceipt) -> bool:
        """Whether what is asked of the cache of such a range is there; of most ranges nothing is."""
        needed = (*(OTHERS if receipt.others else ()), *(("facts", "thumbnails", "part") if receipt.deep else ()))
        return not needed or bool(RangeCache(self._cache, self._decoder, receipt.name).load(*needed))

    def _has_part(self, receipt: RangeReceipt) -> bool:
        if not receipt.images:
            return True
        path = part_path(self._out, receipt.name)
        try:
            status = path.stat()
            same = (status.st_size, status.st_mtime_ns) == (receipt.bytes, receipt.mtime_ns)
            return same or file_hash(path) == receipt.sha256
        except OSError:
            return False

    def link(self, name: str, folder: Path) -> None:
        """Have the files of a range in the new folder as well, without copying them where the file system has links."""
        files = [Path("shards") / f"{shard}.bin" for shard in self.shards.get(name, {})]
        if self.receipts[name].images:
            files.append(part_path(Path(), name))
        for file in files:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self._out / file, target)
            except OSError:  # Some file systems have no links.
                shutil.copy2(self._out / file, target)

    def save(self, receipts: Sequence[RangeReceipt], shards: Mapping[str, Mapping[str, ShardMark]]) -> None:
        """Replace what is known; call it when the outputs of the run are in their place.

        Args:
            receipts: of all ranges.
            shards: of all ranges, by name.
        """
        names = {receipt.name for receipt in receipts}
        for name in names:
            RangeCache(self._cache, self._decoder, name).commit()
        of_now = ranges_folder(self._cache, self._decoder)
        for folder in (self._cache / "ingest").glob("*/*"):
            if folder.is_dir() and not (folder.parent == of_now and folder.name in names):
                shutil.rmtree(folder)
        rows = [(name, shard, *mark) for name, marks in shards.items() for shard, mark in marks.items()]
        marks = (
            [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), MARKS, strict=True)]
            if rows
            else []
        )
        self._marks.save({"shards": pa.table(marks, schema=MARKS) if rows else MARKS.empty_table()})
        self._receipts.save({"receipts": pa.Table.from_pylist([asdict(each) for each in receipts], RECEIPTS)})


def made_from(part: str, added: pa.Table, fixes: Collection[LabelFix]) -> str:
    """What a range is made from.

    Args:
        part: SHA-256 of its rows of the survey, as `SurveyRange` has it.
        added: the images of the inbox that are in it.
        fixes: that apply to its images.
    """
    decided = sorted((fix.image, fix.action, fix.new_label or "", fix.reviewer, fix.reason) for fix in fixes)
    content = [part, [list(row.values()) for row in added.select(["path", "label", "sha256"]).to_pylist()], decided]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _identity(cache: Path, decoder: str) -> str:
    """Of the code that decides what a range becomes."""
    digest = hashlib.sha256()
    for file in CODE:
        digest.update((Path(__file__).parent / file).read_bytes())
    return f"{ranges_folder(cache, decoder).name} {digest.hexdigest()} pyarrow=={pa.__version__}"
