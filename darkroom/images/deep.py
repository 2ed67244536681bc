"""The second look of ingest at files that hold other than 8 bits a value: the rule for all of them, and measures by it."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from darkroom.images.decode import decode
from darkroom.images.depth import PLAUSIBLE
from darkroom.images.depth_choice import KindFound, choose_depth, describe_depth
from darkroom.images.ingest_receipts import RangeReceipt
from darkroom.images.manifest import MANIFEST, REMARKS, read_manifest_range, write_part
from darkroom.images.measure import MEASURED_SIDE, measure
from darkroom.images.range_cache import PARTS, RangeCache, deep_rows, placed_rows, rule_text
from darkroom.images.shards import read_shards
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import Float64s
from darkroom.runtime.executor import map_ranges
from darkroom.runtime.threads import in_order

# Of each kind, where there is no rule for all of them.
FILES_NAMED = 5
TABLES = ("facts", "thumbnails", "part", "rejects", "fixes", "remarks")


def measure_deep(
    receipts: Sequence[RangeReceipt], folder: Path, cache: Path, decoder: str, setting: str
) -> tuple[list[RangeReceipt], Depth | None]:
    """Choose the rule for files that hold other than 8 bits a value, and measure them by it. Without such files it is free.

    Args:
        receipts: of all ranges, in their order.
        folder: with all parts of the manifest and all shards.
        cache: `.darkroom/cache`.
        decoder: as in `darkroom.images.decode.decode`.
        setting: `ingest.depth`.

    Returns:
        The receipts, and the rule; None where all files have 8 bits.

    Raises:
        DarkroomError: when there is no rule for all of them.
    """
    deep = [receipt.name for receipt in receipts if receipt.deep]
    if not deep:
        return list(receipts), None
    images = sum(receipt.images for receipt in receipts)
    found = find_kinds(_deep_images(name, folder, cache, decoder) for name in deep)
    depth = choose_depth(
        setting, found, images, list(islice(_paths_of_eight(receipts, folder, cache, decoder), FILES_NAMED))
    )
    assert depth
    for line in describe_depth(depth, found, images):
        print(f"ingest: {line}")
    rule = rule_text(depth)
    tasks = [DeepTask(each, depth, folder, cache, decoder) for each in receipts if each.deep and each.rule != rule]
    measured = {receipt.name: receipt for receipt in map_ranges(measure_range, tasks)}
    return [measured.get(receipt.name, receipt) for receipt in receipts], depth


@dataclass(frozen=True)
class DeepTask:
    """A range whose deep files are measured by a rule; attributes as the arguments of `measure_deep`."""

    receipt: RangeReceipt
    depth: Depth
    folder: Path
    cache: Path
    decoder: str


def measure_range(task: DeepTask) -> RangeReceipt:
    """Measure the files of a range by the rule, where they are not, and write its part of the manifest again."""
    ranges, rule = RangeCache(task.cache, task.decoder, task.receipt.name), rule_text(task.depth)
    tables = ranges.load(*TABLES, fresh=True)
    facts, thumbnails = tables["facts"], tables["thumbnails"]
    rules = facts["rule"].to_pylist()
    fresh = [row for row in deep_rows(facts).tolist() if rules[row] != rule]
    places = zip(*(facts[name].take(fresh).to_pylist() for name in ("shard", "offset", "bytes")), strict=True)

    def measure_one(data: bytes) -> dict[str, object]:
        return measure(decode(data, task.decoder, least_side=MEASURED_SIDE, grey=True, depth=task.depth)) | {
            "rule": rule
        }

    results = in_order(measure_one, read_shards(task.folder / "shards", places), len)
    found = dict(zip(fresh, tqdm(results, "ingest depth", len(fresh), unit="image", disable=None), strict=True))
    facts, thumbnails = _replaced(facts, found), _replaced(thumbnails, found)
    manifest, placed = read_manifest_range(task.folder, task.receipt.name), facts.take(placed_rows(facts))
    for name in set(MANIFEST.names) & set(next(iter(found.values()), {})):
        manifest = manifest.set_column(MANIFEST.names.index(name), MANIFEST.field(name), placed[name])
    part, (size, time) = write_part(task.receipt.name, manifest, task.folder)
    remarks = pa.table({"path": manifest["path"], "remark": placed["remark"]})
    remarks = remarks.filter(pc.is_valid(remarks["remark"])).cast(REMARKS)
    parts = pa.table([[part.sha256]], schema=PARTS)
    ranges.save(tables | {"facts": facts, "thumbnails": thumbnails, "part": parts, "remarks": remarks})
    others = task.receipt.others - len(tables["remarks"]) + len(remarks)
    return replace(task.receipt, sha256=part.sha256, bytes=size, mtime_ns=time, others=others, rule=rule)


def _replaced(table: pa.Table, rows: dict[int, dict[str, object]]) -> pa.Table:
    """A table with other values in the columns of some rows."""
    for place, field_of in enumerate(table.schema):
        if field_of.name in next(iter(rows.values()), {}):
            column = table[field_of.name].to_pylist()
            for row, values in rows.items():
                column[row] = values[field_of.name]
            table = table.set_column(place, field_of, pa.array(column, field_of.type))
    return table


def _deep_images(name: str, folder: Path, cache: Path, decoder: str) -> pa.Table:
    """The files of a range that hold other than 8 bits a value, with the columns of `FACTS` and their paths."""
    facts = RangeCache(cache, decoder, name).load("facts", fresh=True)["facts"]
    facts = facts.take(placed_rows(facts)).append_column("path", read_manifest_range(folder, name, ["path"])["path"])
    return facts.filter(pc.is_valid(facts["kind"]))


def _paths_of_eight(receipts: Sequence[RangeReceipt], folder: Path, cache: Path, decoder: str) -> Iterator[str]:
    """The paths of the files of 8 bits, in their order; a range is read when it comes to it."""
    for receipt in receipts:
        if receipt.images > receipt.deep:
            of_deep = _deep_images(receipt.name, folder, cache, decoder)["path"].to_pylist() if receipt.deep else []
            known = frozenset(of_deep)
            paths = read_manifest_range(folder, receipt.name, ["path"])["path"].to_pylist()
            yield from (path for path in paths if path not in known)


@dataclass
class _Kind:
    """What was found of one kind so far; attributes as those of `KindFound`, and the highest value of each file."""

    files: int = 0
    low: float = np.inf
    declared: set[tuple[float | None, float | None]] = field(default_factory=set)
    widest: list[tuple[float, str]] = field(default_factory=list)
    highs: list[Float64s] = field(default_factory=list)

    def add(self, images: pa.Table) -> None:
        low, high = images["low"].to_numpy(), images["high"].to_numpy()
        self.files += len(images)
        self.low = min(self.low, float(low.min()))
        self.highs.append(high)
        self.declared |= set(zip(images["declared_low"].to_pylist(), images["declared_high"].to_pylist(), strict=True))
        spread = zip((low - high).tolist(), images["path"].to_pylist(), strict=True)
        self.widest = heapq.nsmallest(FILES_NAMED, [*self.widest, *spread])

    def found(self, kind: str) -> KindFound:
        highs = np.concatenate(self.highs)
        top = float(highs.max())
        low, high = next(iter(self.declared)) if len(self.declared) == 1 else (None, None)
        declared = None if low is None or high is None else (low, high)
        dim = int(((highs > 0) & (highs <= top * PLAUSIBLE)).sum()) if self.low >= 0 else 0
        return KindFound(kind, self.files, self.low, top, declared, tuple(path for _, path in self.widest), dim)


def find_kinds(ranges: Iterable[pa.Table]) -> list[KindFound]:
    """Each kind of values other than 8 bits, in the order of their names.

    Args:
        ranges: the files of each that hold such values: `path`, `kind`, `low`, `high`, `declared_low`, `declared_high`.
    """
    kinds: dict[str, _Kind] = {}
    for images in ranges:
        for kind in pc.unique(images["kind"]).to_pylist():
            kinds.setdefault(kind, _Kind()).add(images.filter(pc.equal(images["kind"], kind)))
    return [kinds[kind].found(kind) for kind in sorted(kinds)]
