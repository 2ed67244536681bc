"""The split table: written for the later stages, and read by the next run, which moves no image of it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.runtime.arrays import Bools, Int16s
from darkroom.runtime.columns import addressable, leading_bits
from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import EXCLUDED, NO_PARTITION, TEST, Assignment, SplitConfig, SplitInput
from darkroom.splits.sticky import in_split_groups

SETTINGS = b"darkroom.split"
CONTENT = "content"


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
class SplitResult:
    """Where N images of the given classes are, and why.

    Attributes:
        paths: string [N].
        images: as the rule takes them.
        previous: the assignments of the previous run.
        assignment: where they are now.
        from_nothing: int16 [N], the partitions that a run without a previous split would give.
        config: the settings.
        fold: the one that validates, where there are folds.
    """

    paths: pa.ChunkedArray
    images: SplitInput
    previous: PreviousSplit
    assignment: Assignment
    from_nothing: Int16s
    config: SplitConfig
    fold: int

    @property
    def partitions(self) -> Int16s:
        """Int16 [N], `NO_PARTITION` for excluded images."""
        return self.assignment.partitions

    def path(self, row: int) -> str:
        return str(self.paths[int(row)].as_py())

    def partition(self, row: int) -> str:
        return EXCLUDED if self.partitions[row] == NO_PARTITION else self.config.partitions[self.partitions[row]]

    def partitions_of(self, split: str) -> list[int]:
        """The partitions that make up a split."""
        return [number for number, name in enumerate(self.config.splits(self.fold)[:-1]) if name == split]

    def split_probabilities(self) -> dict[str, float]:
        """The probability of each split for a sampled group."""
        probabilities = dict.fromkeys(("test", "validation", "train"), 0.0)
        names = self.config.splits(self.fold)[:-1]
        for split, probability in zip(names, self.assignment.probabilities.tolist(), strict=True):
            probabilities[split] += probability
        return probabilities


def read_previous_split(
    previous: Path | None, config: SplitConfig, manifest: pa.Table, images: SplitInput
) -> PreviousSplit:
    """Read the table of the previous run.

    An image is found by its id, and a renamed one by its bytes, if another image with these is gone. One that was
    excluded is new. Where the source now puts an image into another split than it did then, the user has decided: the
    image's whole group is assigned again. Where it brings a split that was sampled before, or brings one no more, the
    shares of the others change: all images are assigned again.

    Args:
        previous: a table that `split_table` made; None where there is none.
        config: a table that was made with other settings does not count.
        manifest: the columns `id`, `sha256` and `source_split`.

    Raises:
        DarkroomError: when the table can't be read.
    """
    partitions = np.full(len(manifest), NO_PARTITION, dtype=np.int16)
    if previous is None:
        return PreviousSplit(partitions, [], 0)
    try:
        table = addressable(pq.read_table(previous))
    except (pa.ArrowException, OSError) as error:
        raise DarkroomError(
            f"{previous}, the split of the previous run, can't be read ({error}): get it back with "
            f"`dvc checkout {previous.parent}`, or delete it to have every image assigned again"
        ) from None
    if SETTINGS not in (table.schema.metadata or {}) or CONTENT not in table.column_names:
        return PreviousSplit(partitions, [f"{previous} was made by another rule"], 0)
    then = json.loads(table.schema.metadata[SETTINGS])
    changed = [
        f"split.{name} was {then[name]} and is {now}" for name, now in settings_of(config).items() if then[name] != now
    ]
    changed += _brought_otherwise(table, manifest, config)
    if changed:
        return PreviousSplit(partitions, changed, 0)
    previous_partitions = _partitions_in(table, config)
    found = pc.index_in(manifest["id"].combine_chunks(), value_set=table["id"].combine_chunks())
    gone = ~pc.is_in(table["id"].combine_chunks(), value_set=manifest["id"].combine_chunks()).to_numpy(
        zero_copy_only=False
    )
    found = pc.coalesce(found, _renamed(table[CONTENT].combine_chunks(), previous_partitions, gone, _content(manifest)))
    known = pc.is_valid(found).to_numpy(zero_copy_only=False)
    rows = found.drop_null()
    partitions[known] = previous_partitions[rows.to_numpy()]
    source_then = pc.fill_null(table["source_split"].combine_chunks().take(rows), "")
    source_now = pc.fill_null(manifest["source_split"].combine_chunks().filter(pa.array(known)), "")
    differing = np.flatnonzero(known)[pc.not_equal(source_then, source_now).to_numpy(zero_copy_only=False)]
    again = np.zeros(len(images.group_names), dtype=bool)
    again[images.group[differing]] = True
    partitions[again[images.group]] = NO_PARTITION
    return PreviousSplit(partitions, [], len(differing))


def _brought_otherwise(then: pa.Table, now: pa.Table, config: SplitConfig) -> list[str]:
    """Which splits the source brings now and did not then, or the other way round, as sentences."""
    changes = []
    for split in ("test",) if config.folds else ("test", "validation"):
        before, after = (
            bool(pc.any(pc.equal(table["source_split"], split), min_count=0).as_py()) for table in (then, now)
        )
        if before != after:
            changes.append(f"the source {'brings its own' if after else 'no longer brings a'} {split} split")
    return changes


def _renamed(then: pa.UInt64Array, partitions: Int16s, gone: Bools, now: pa.UInt64Array) -> pa.Int32Array:
    """For each present image the row of one that is gone and had its bytes; null where there is none, or several differ."""
    rows_gone = np.flatnonzero(gone)
    contents, first, numbers = np.unique(then.to_numpy()[rows_gone], return_index=True, return_inverse=True)
    low = np.full(len(contents), np.iinfo(np.int16).max, np.int16)
    high = np.full(len(contents), NO_PARTITION, np.int16)
    np.minimum.at(low, numbers, partitions[rows_gone])
    np.maximum.at(high, numbers, partitions[rows_gone])
    rows = pa.array(rows_gone[first[low == high]].astype(np.int32))
    return rows.take(pc.index_in(now, value_set=pa.array(contents[low == high])))


def _content(manifest: pa.Table) -> pa.UInt64Array:
    """The first 64 bits of each image's SHA-256: enough to distinguish a million files."""
    return pa.array(leading_bits(manifest["sha256"]))


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


def split_table(manifest: pa.Table, images: SplitInput, partitions: Int16s, config: SplitConfig, fold: int) -> pa.Table:
    """The table of the split stage: id, split, group, fold, source_split, content; a row for each image.

    A group in several partitions is written as one for each of them, named by the SHA-256 of its name and the partition's,
    so that no group in the table is in two splits. `content` is the beginning of the SHA-256. `fold` is null without folds,
    and for test and excluded images. The settings are in the schema's metadata; which fold validates is not among them, since
    it moves no image to another fold.
    """
    groups = images.group_names.take(pa.array(images.group))
    split_rows = np.flatnonzero(in_split_groups(partitions, images))
    if len(split_rows):
        names = groups.to_pylist()
        for row in split_rows:
            partition = config.partitions[partitions[row]] if partitions[row] != NO_PARTITION else EXCLUDED
            names[row] = hashlib.sha256(f"{names[row]}\0{partition}".encode()).hexdigest()
        groups = pa.array(names, groups.type)
    positions = np.where(partitions == NO_PARTITION, len(config.partitions), partitions)
    columns = {
        "id": manifest["id"].combine_chunks(),
        "split": pa.array(config.splits(fold)).take(pa.array(positions)),
        "group": groups,
        "fold": pa.array(partitions - 1, pa.int8(), mask=(partitions <= TEST) | (config.folds is None)),
        "source_split": manifest["source_split"].combine_chunks(),
        CONTENT: _content(manifest),
    }
    return pa.table(columns).replace_schema_metadata({SETTINGS: json.dumps(settings_of(config)).encode()})
