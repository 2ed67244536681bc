"""The result of a split, and its table, which is written range by range."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.arrays import Bools, Int16s, Int64s
from darkroom.splits.previous_split import CONTENT, SETTINGS, PreviousSplit, settings_of
from darkroom.splits.rule import EXCLUDED, NO_PARTITION, SOURCE_SPLITS, TEST, Assignment, SplitConfig, SplitInput
from darkroom.splits.sticky import in_split_groups

# The columns that a dictionary makes smaller.
REPEATING = ["split", "fold", "source_split"]
TABLE = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        ("fold", pa.int8()),
        ("source_split", pa.string()),
        (CONTENT, pa.uint64()),
    ]
)


@dataclass(frozen=True)
class SplitResult:
    """Where N images of the given classes are, and why.

    Attributes:
        paths: gives the paths of some rows, int64 [n].
        images: as the rule takes them.
        previous: the assignments of the previous run.
        assignment: where they are now.
        from_nothing: int16 [N], the partitions that a run without a previous split would give.
        config: the settings.
        fold: the one that validates, where there are folds.
    """

    paths: Callable[[Int64s], list[str]]
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
        return self.paths(np.array([row]))[0]

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


def write_split_table(
    groups: Iterable[pa.Table], images: SplitInput, partitions: Int16s, config: SplitConfig, fold: int, target: Path
) -> None:
    """Write the table of the split stage: id, split, group, fold, source_split, content; a row group for each part.

    A group in several partitions is written as one for each of them, named by the SHA-256 of its name and the partition's,
    so that no group in the table is in two splits. `content` is the beginning of the SHA-256. `fold` is null without folds,
    and for test and excluded images. The settings are in the schema's metadata; which fold validates is not among them, since
    it moves no image to another fold.

    Args:
        groups: the validate stage's table in parts, `id` and `group`.
        partitions: int16 [N], `NO_PARTITION` for excluded images.
    """
    schema = TABLE.with_metadata({SETTINGS: json.dumps(settings_of(config)).encode()})
    apart, start = in_split_groups(partitions, images), 0
    brought = pa.array(SOURCE_SPLITS)
    # Of names in hex zstd makes half; statistics are of no use to readers of whole columns.
    how = {"compression": "zstd", "use_dictionary": REPEATING, "write_statistics": False}
    with pq.ParquetWriter(target, schema, **how) as writer:
        for part in groups:
            rows = slice(start, start + len(part))
            codes = images.brought[rows]
            columns = {
                "id": part["id"],
                "split": _split_names(partitions[rows], config, fold),
                "group": _groups(part["group"], apart[rows], partitions[rows], config),
                "fold": _folds(partitions[rows], config),
                "source_split": brought.take(pa.array(codes, mask=codes < 0)),
                CONTENT: pa.array(images.content[rows]),
            }
            writer.write_table(pa.table(columns).cast(schema))
            start = rows.stop


def _split_names(partitions: Int16s, config: SplitConfig, fold: int) -> pa.Array:
    positions = np.where(partitions == NO_PARTITION, len(config.partitions), partitions)
    return pa.array(config.splits(fold)).take(pa.array(positions))


def _folds(partitions: Int16s, config: SplitConfig) -> pa.Array:
    return pa.array(partitions - 1, pa.int8(), mask=(partitions <= TEST) | (config.folds is None))


def _groups(
    groups: pa.ChunkedArray, apart: Bools, partitions: Int16s, config: SplitConfig
) -> pa.ChunkedArray | pa.Array:
    """The names of the groups, those in several partitions with the partition's."""
    if not apart.any():
        return groups
    names = groups.to_pylist()
    for row in np.flatnonzero(apart):
        partition = config.partitions[partitions[row]] if partitions[row] != NO_PARTITION else EXCLUDED
        names[row] = hashlib.sha256(f"{names[row]}\0{partition}".encode()).hexdigest()
    return pa.array(names, pa.string())
