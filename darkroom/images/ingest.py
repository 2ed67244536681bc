"""Ingest a source, range by range; a range that is what it was is neither opened nor written again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.images.deep import measure_deep
from darkroom.images.ingest_input import IngestInput
from darkroom.images.ingest_receipts import OTHERS, RangeReceipt, RangesBefore, made_from
from darkroom.images.manifest import REJECTS, REMARKS, read_manifest_range, write_receipt
from darkroom.images.range_cache import RangeCache
from darkroom.images.range_ingest import RangeTask, image_id, ingest_range
from darkroom.images.shards import ShardMark
from darkroom.labels.apply import require_all_found
from darkroom.labels.fixes import APPLIED
from darkroom.model.depth import Depth, save_depth
from darkroom.runtime.executor import map_ranges

SCHEMAS = {"rejects": REJECTS, "fixes": APPLIED, "remarks": REMARKS}


@dataclass(frozen=True)
class IngestResult:
    """Attributes:
    receipts: of all ranges, in the order of their images.
    rejects, fixes, remarks: with the columns of `REJECTS`, `APPLIED` and `REMARKS`, sorted by path.
    depth: the rule for files that hold other than 8 bits a value; None where there are none.
    read: how many images were read; the others were in the cache.
    """

    receipts: list[RangeReceipt]
    rejects: pa.Table
    fixes: pa.Table
    remarks: pa.Table
    depth: Depth | None
    read: int
    _before: RangesBefore = field(repr=False)
    _shards: Mapping[str, Mapping[str, ShardMark]] = field(repr=False)

    @property
    def images(self) -> int:
        """In the manifest."""
        return sum(receipt.images for receipt in self.receipts)

    @property
    def unreadable(self) -> pa.Table:
        """The rejects that can't be read as images; reviewers removed the others."""
        return self.rejects.filter(pc.is_null(self.rejects["reviewer"]))

    def write(self, folder: Path) -> None:
        """Write the tables beside the parts of the manifest."""
        write_receipt([receipt.part for receipt in self.receipts if receipt.images], folder)
        save_depth(self.depth, folder)
        for name in SCHEMAS:
            pq.write_table(getattr(self, name), folder / f"{name}.parquet")

    def save(self) -> None:
        """Save the receipts; call it when the folder is in its place."""
        self._before.save(self.receipts, self._shards)


def ingest_ranges(given: IngestInput, depth: str, folder: Path) -> IngestResult:
    """Make the parts of the manifest and the shards of all ranges.

    Args:
        given: the source, and what people decided of it.
        depth: `auto`, `full` or `range`, as `ingest.depth`.
        folder: the one to write to.

    Raises:
        DarkroomError: when a file is not what the survey found, a fix is of no image, or `depth` has no rule for all images.
    """
    before = RangesBefore(given.cache, given.decoder, given.out)
    held: dict[str, frozenset[str]] = {}
    for each in given.ranges:
        fixed = _fixed_by_id(given, before, each.name)
        fixes = [*given.joined.fixes_of(each.name), *(fix for fix in given.fixes if fix.image in fixed)]
        if before.holds(each.name, made_from(each.rows_sha256, given.joined.added_to(each.name), fixes)):
            held[each.name] = frozenset(fix.image for fix in fixes)
    made = {each.receipt.name: each for each in map_ranges(ingest_range, _tasks(given, before, held, folder))}
    for name in held:
        before.link(name, folder)
    found = frozenset().union(*held.values(), *(each.fixed for each in made.values()))
    require_all_found(given.fixes_file, given.fixes, found)
    receipts = [made[each.name].receipt if each.name in made else before.receipts[each.name] for each in given.ranges]
    receipts, rule = measure_deep(receipts, folder, given.cache, given.decoder, depth)
    rejects, fixes, remarks = (_joined(name, receipts, given) for name in OTHERS)
    shards = {name: each.shards for name, each in made.items()} | {name: before.shards.get(name, {}) for name in held}
    return IngestResult(
        receipts, rejects, fixes, remarks, rule, sum(each.read for each in made.values()), before, shards
    )


def _fixed_by_id(given: IngestInput, before: RangesBefore, name: str) -> frozenset[str]:
    """The ids of images of a range that fixes name, where the range is what it was."""
    receipt = before.receipts.get(name)
    if receipt is None or not given.fixes:
        return frozenset()
    ids: set[str] = set()
    try:
        if receipt.images:
            ids.update(read_manifest_range(given.out, name, ["id"])["id"].to_pylist())
    except FileNotFoundError:
        return frozenset()
    if receipt.others:
        rejects = RangeCache(given.cache, given.decoder, name).load("rejects").get("rejects", REJECTS.empty_table())
        ids.update(image_id(row["path"], row["sha256"]) for row in rejects.to_pylist() if row["reviewer"])
    return frozenset(fix.image for fix in given.fixes if fix.image in ids)


def _tasks(given: IngestInput, before: RangesBefore, held: Mapping[str, object], folder: Path) -> list[RangeTask]:
    """A task for each range that does not hold."""
    left = [each for each in given.ranges if each.name not in held]
    loose = [name for name in before.receipts if name not in held]
    marks = {shard: mark for name in loose for shard, mark in before.shards.get(name, {}).items()}
    return [
        RangeTask(
            name=each.name,
            part=each.rows_sha256,
            word="ingest" if len(left) == 1 else f"ingest {number + 1:,} of {len(left):,}",
            source=given.source,
            location=given.location,
            decoder=given.decoder,
            survey=given.survey.absolute(),
            added=given.joined.added_to(each.name),
            inbox=given.inbox.absolute(),
            fixes=[*given.joined.fixes_of(each.name), *given.fixes],
            fixes_file=given.fixes_file,
            cache=given.cache.absolute(),
            others=_nearest(each.name, loose, number / len(left)),
            marks=marks,
            previous=given.out.absolute(),
            folder=folder.absolute(),
        )
        for number, each in enumerate(left)
    ]


def _nearest(name: str, loose: Sequence[str], place: float) -> list[str]:
    """The other loose ranges, those first that are at about the same place of their list: most files move together."""
    return [
        other
        for _, other in sorted((abs(number / len(loose) - place), other) for number, other in enumerate(loose))
        if other != name
    ]


def _joined(name: str, receipts: Sequence[RangeReceipt], given: IngestInput) -> pa.Table:
    """One of the tables of rows that are no rows of the manifest, of all ranges."""
    parts: Iterator[RangeCache] = (
        RangeCache(given.cache, given.decoder, each.name) for each in receipts if each.others
    )
    tables = [part.load(name, fresh=True)[name] for part in parts]
    return pa.concat_tables([SCHEMAS[name].empty_table(), *tables]).combine_chunks()
