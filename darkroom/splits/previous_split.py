"""The split of the previous run: which of today's images are in it, and whether its assignments count."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.runtime.arrays import Bools, Int8s, Int16s, Int64s, UInt64s
from darkroom.runtime.columns import leading_bits
from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import NO_PARTITION, SOURCE_SPLITS, TEST, SplitConfig, SplitInput, brought_codes

SETTINGS = b"darkroom.split"
CONTENT = "content"
# Numbers that are looked up at a time: 80 bytes each.
LOOKED_UP = 100_000


@dataclass(frozen=True)
class PreviousSplit:
    """The assignments of the previous run.

    Attributes:
        partitions: int16 [N], `NO_PARTITION` for new images.
        changed: why the previous table does not count, as `split.seed was 0 and is 1`; then all images are new.
        source_changed: how many images the source now puts into another split than it did; their groups are new.
    """

    partitions: Int16s
    changed: list[str]
    source_changed: int


@dataclass(frozen=True)
class _Before:
    """The rows of an earlier table, M of them: as in `SplitInput`, and the partition of each, int16 [M]."""

    id: UInt64s
    content: UInt64s
    brought: Int8s
    partitions: Int16s


def read_previous_split(previous: Path | None, config: SplitConfig, images: SplitInput) -> PreviousSplit:
    """Read the table of the previous run.

    An image is found by its id, and a renamed one by its bytes, if another image with these is gone. One that was
    excluded is new. Where the source now puts an image into another split than it did then, the user has decided: the
    image's whole group is assigned again. Where it brings a split that was sampled before, or brings one no more, the
    shares of the others change: all images are assigned again.

    Args:
        previous: a table that `write_split_table` made; None where there is none.
        config: a table that was made with other settings does not count.

    Raises:
        DarkroomError: when the table can't be read.
    """
    partitions = np.full(len(images.id), NO_PARTITION, dtype=np.int16)
    if previous is None:
        return PreviousSplit(partitions, [], 0)
    try:
        changed, before = _read_before(previous, config)
    except (pa.ArrowException, OSError) as error:
        raise DarkroomError(
            f"{previous}, the split of the previous run, can't be read ({error}): get it back with "
            f"`dvc checkout {previous.parent}`, or delete it to have every image assigned again"
        ) from None
    if before is not None:
        changed += _brought_otherwise(before.brought, images.brought, config)
    if changed or before is None:
        return PreviousSplit(partitions, changed, 0)
    found = _positions(images.id, before.id)
    gone = np.ones(len(before.id), dtype=bool)
    gone[found[found >= 0]] = False
    if gone.any():
        found = np.where(found >= 0, found, _renamed(before, gone, images.content))
    known = np.flatnonzero(found >= 0)
    rows = found[known]
    partitions[known] = before.partitions[rows]
    differing = known[before.brought[rows] != images.brought[known]]
    if len(differing):
        again = np.zeros(len(images.keys), dtype=bool)
        again[images.group[differing]] = True
        partitions[again[images.group]] = NO_PARTITION
    return PreviousSplit(partitions, [], len(differing))


def _read_before(previous: Path, config: SplitConfig) -> tuple[list[str], _Before | None]:
    """Why an earlier table does not count, or its rows; a row group at a time."""
    with pq.ParquetFile(previous) as file:
        schema = file.schema_arrow
        if SETTINGS not in (schema.metadata or {}) or CONTENT not in schema.names:
            return [f"{previous} was made by another rule"], None
        then = json.loads(schema.metadata[SETTINGS])
        changed = [
            f"split.{name} was {then[name]} and is {now}"
            for name, now in settings_of(config).items()
            if then[name] != now
        ]
        columns = ["id", "split", "fold", "source_split", CONTENT]
        parts = (file.read_row_group(number, columns, use_threads=False) for number in range(file.num_row_groups))
        read = [
            (
                leading_bits(part["id"]),
                part[CONTENT].to_numpy(),
                brought_codes(part["source_split"]),
                _partitions_in(part, config),
            )
            for part in parts
        ]
    return changed, _Before(*(np.concatenate(column) for column in zip(*read, strict=True)))


def _positions(wanted: UInt64s, among: UInt64s) -> Int64s:
    """Where each number is, int64; -1 where it is not."""
    order = np.argsort(among)
    ordered, found = among[order], np.empty(len(wanted), np.int64)
    for start in range(0, len(wanted), LOOKED_UP):
        piece = wanted[start : start + LOOKED_UP]
        # Numbers in any order take four times as long.
        asked = np.argsort(piece)
        places = np.minimum(np.searchsorted(ordered, piece[asked]), len(ordered) - 1)
        found[start + asked] = np.where(ordered[places] == piece[asked], order[places], -1)
    return found


def _brought_otherwise(then: Int8s, now: Int8s, config: SplitConfig) -> list[str]:
    """Which splits the source brings now and did not then, or the other way round, as sentences."""
    changes = []
    for split in ("test",) if config.folds else ("test", "validation"):
        before, after = (bool((codes == SOURCE_SPLITS.index(split)).any()) for codes in (then, now))
        if before != after:
            changes.append(f"the source {'brings its own' if after else 'no longer brings a'} {split} split")
    return changes


def _renamed(before: _Before, gone: Bools, now: UInt64s) -> Int64s:
    """For each present image the row of one that is gone and had its bytes, int64 [N]; -1 where none has, or several differ."""
    rows = np.flatnonzero(gone)
    contents, first, numbers = np.unique(before.content[rows], return_index=True, return_inverse=True)
    low = np.full(len(contents), np.iinfo(np.int16).max, np.int16)
    high = np.full(len(contents), NO_PARTITION, np.int16)
    np.minimum.at(low, numbers, before.partitions[rows])
    np.maximum.at(high, numbers, before.partitions[rows])
    places = _positions(now, contents)
    found = (places >= 0) & (low == high)[places]
    return np.where(found, rows[first[places]], -1)


def settings_of(config: SplitConfig) -> dict[str, str | int | float | None]:
    """The settings that a table must have been made with for its assignments to count."""
    values = asdict(config)
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}


def _partitions_in(table: pa.Table, config: SplitConfig) -> Int16s:
    """The partition of each row, int16; `NO_PARTITION` for a split of another name, such as `excluded`."""
    if config.folds is None:
        return _codes(table["split"], config.partitions)
    folds = pc.fill_null(table["fold"].cast(pa.int16()), NO_PARTITION - 1).to_numpy()
    return np.where(_codes(table["split"], ("test",)) == TEST, TEST, folds + 1).astype(np.int16)


def _codes(column: pa.ChunkedArray, names: tuple[str, ...]) -> Int16s:
    codes = pc.fill_null(pc.index_in(column, value_set=pa.array(names)), NO_PARTITION)
    return np.asarray(codes.to_numpy(), dtype=np.int16)
