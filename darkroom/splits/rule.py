"""The draw: which image goes to which split by its group alone, so that growth moves nothing.

The rule assigns groups to partitions, numbered from 0: `test`, `validation`, `train`; with folds `test`, `fold 0`, `fold 1`, …
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Float64s, Int8s, Int16s, Int32s, Int64s, UInt64s
from darkroom.runtime.columns import leading_bits
from darkroom.runtime.seeding import uniform_per_image

SPLITS = ("train", "validation", "test")
# The split of images that belong to none, and their number in place of a partition's.
EXCLUDED, NO_PARTITION = "excluded", -1
TEST, VALIDATION, UNDECIDED = 0, 1, 2
# The splits that a source can have, in the order of these numbers.
SOURCE_SPLITS = ("test", "validation", "train")
NO_TIMESTAMP = np.iinfo(np.int64).min


@dataclass(frozen=True)
class SplitConfig:
    """The settings that, together with the images, decide every image's partition.

    Attributes:
        validation, test: target shares of the images, in (0, 1).
        seed: of the sampling.
        folds: divide what is not test into so many, in place of a validation share.
        validation_from, test_from: images from the start of this day on (UTC), in place of a share.
    """

    validation: float
    test: float
    seed: int
    folds: int | None = None
    validation_from: date | None = None
    test_from: date | None = None

    @property
    def partitions(self) -> tuple[str, ...]:
        """The names of the partitions."""
        if self.folds is None:
            return ("test", "validation", "train")
        return ("test", *(f"fold {number}" for number in range(self.folds)))

    def splits(self, fold: int) -> tuple[str, ...]:
        """The split of each partition when `fold` validates, and `excluded` last, for `NO_PARTITION`."""
        if self.folds is None:
            return (*self.partitions, EXCLUDED)
        return ("test", *("validation" if each == fold else "train" for each in range(self.folds)), EXCLUDED)


@dataclass(frozen=True)
class SplitInput:
    """The images as numbers; N images in G groups, in the manifest's order. No text is kept: a million images are 30 MB.

    Attributes:
        id: uint64 [N], the ids, which are hex, as numbers.
        label: int32 [N], which of `classes`, the class list.
        group: int32 [N], which of the groups.
        keys: uint64 [G], the first 64 bits of each group's name, a SHA-256. Two groups with the same ones would be one here.
        content: uint64 [N], the first 64 bits of each image's SHA-256.
        brought: int8 [N], which of `SOURCE_SPLITS` the source puts the image into; -1 where it has none.
        timestamp: int64 [N], microseconds since 1970 (UTC); `NO_TIMESTAMP` where the source has none.
    """

    id: UInt64s
    label: Int32s
    classes: tuple[str, ...]
    group: Int32s
    keys: UInt64s
    content: UInt64s
    brought: Int8s
    timestamp: Int64s

    @classmethod
    def of(cls, parts: Iterable[tuple[pa.Table, pa.Table]], classes: tuple[str, ...]) -> "SplitInput":
        """From the parts of the manifest in order, each with its rows of the validate stage's table, and the class list.

        Args:
            parts: `id`, `sha256`, `label`, `source_split`, and `timestamp` where days decide; and `group`.
            classes: their names.
        """
        found = [_numbers(manifest, groups, classes) for manifest, groups in parts]
        columns = {name: np.concatenate([part.pop(name) for part in found]) for name in list(found[0])}
        columns.setdefault("timestamp", np.broadcast_to(np.int64(NO_TIMESTAMP), len(columns["id"])))
        keys, group = _numbered(columns.pop("group"))
        return cls(classes=classes, keys=keys, group=group, **columns)

    @property
    def source_split(self) -> Int8s:
        """A new int8 [N], `TEST` or `VALIDATION` where the source puts the image there, else `UNDECIDED`."""
        return np.where(self.brought < 0, np.int8(UNDECIDED), self.brought)


def _numbers(manifest: pa.Table, groups: pa.Table, classes: tuple[str, ...]) -> dict[str, Any]:
    """The columns of `SplitInput` for a part of the manifest; `group` has the keys."""
    found = {
        "id": leading_bits(manifest["id"]),
        "label": pc.index_in(manifest["label"], value_set=pa.array(classes)).to_numpy(),
        "group": leading_bits(groups["group"]),
        "content": leading_bits(manifest["sha256"]),
        "brought": brought_codes(manifest["source_split"]),
    }
    if "timestamp" in manifest.column_names:
        found["timestamp"] = pc.fill_null(manifest["timestamp"].cast(pa.int64()), NO_TIMESTAMP).to_numpy()
    return found


def _numbered(keys: UInt64s) -> tuple[UInt64s, Int32s]:
    """The keys, each once, and the number of each given one among them, int32 [N]. `np.unique` takes twice the memory."""
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    numbers = np.empty(len(keys), np.int32)
    numbers[order] = np.cumsum(first, dtype=np.int32) - 1
    return ordered[first], numbers


def distinct(codes: Int64s) -> tuple[Int64s, Int64s]:
    """Of codes int64 [N], which are sorted in place, each once, and how often it is there."""
    codes.sort()
    starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))
    return codes[starts], np.diff(starts, append=len(codes))


def brought_codes(source_split: pa.ChunkedArray) -> Int8s:
    """Which of `SOURCE_SPLITS` each name is, int8 [N]; -1 for null."""
    codes = pc.fill_null(pc.index_in(source_split, value_set=pa.array(SOURCE_SPLITS)), -1)
    return np.asarray(codes.to_numpy(), dtype=np.int8)


@dataclass(frozen=True)
class Assignment:
    """Where images are, and why.

    Attributes:
        partitions: int16 [N], `NO_PARTITION` for excluded images.
        sampled: bool [N]: of a group that is assigned at random, neither by the source nor by date.
        by_date: bool [N]: of a group that a date decides.
        probabilities: float64 [P], of each partition for a sampled group.
        by_quota: bool [C]: classes with too few groups for the draw (`darkroom.splits.quota`).
    """

    partitions: Int16s
    sampled: Bools
    by_date: Bools
    probabilities: Float64s
    by_quota: Bools


def draw(images: SplitInput, config: SplitConfig) -> Assignment:
    """Assign every image by its group alone; a group is in one partition, and what remains of it in none.

    1. What the source puts into its test or validation split is there, exactly, so that a score on it is comparable with
       those of others. Other images of its group are in no partition: to train on a copy of a test image would raise the
       score, and to test on one more would change it. A group with images in both is the test split's. With folds, the
       source's validation images are divided like the rest.
    2. Else, where a date is set, images from `test_from` on are in test, those from `validation_from` on in validation, and
       others of their groups in none.
    3. Else a random number made of the group's name and the seed decides: below the test share it goes to test, and so on.
       A split that the source brings, or that has a date, is not sampled. The fold is a second random number.

    The number depends on nothing but the group, so images that come later move none that are here. It also makes the size of
    each class in a split binomial (`darkroom.splits.tolerance`).
    """
    source_split = images.source_split
    if config.folds:
        source_split[source_split == VALIDATION] = UNDECIDED
    dated = np.full(len(images.group), UNDECIDED, np.int8)
    for partition, day in ((VALIDATION, config.validation_from), (TEST, config.test_from)):
        if day is not None:
            dated[images.timestamp >= (day - date(1970, 1, 1)).days * 86_400_000_000] = partition
    by_source = _lowest(source_split, images)
    decided = np.where(by_source != UNDECIDED, by_source, _lowest(dated, images))
    probabilities = partition_probabilities(
        config, source_has_test=bool((source_split == TEST).any()), source_has_validation=VALIDATION in source_split
    )
    sampled = decided == UNDECIDED
    partitions = np.where(sampled, sample_partitions(images.keys, config, probabilities), decided)[images.group]
    asked = np.where(source_split != UNDECIDED, source_split, dated)
    excluded = ~sampled[images.group] & (asked != partitions)
    return Assignment(
        np.where(excluded, NO_PARTITION, partitions).astype(np.int16),
        sampled[images.group],
        ((by_source == UNDECIDED) & ~sampled)[images.group],
        probabilities,
        np.zeros(len(images.classes), dtype=bool),
    )


def _lowest(codes: Int8s, images: SplitInput) -> Int8s:
    """The smallest code of each group, int8 [G]."""
    lowest = np.full(len(images.keys), UNDECIDED, np.int8)
    decided = np.flatnonzero(codes != UNDECIDED)
    np.minimum.at(lowest, images.group[decided], codes[decided])
    return lowest


def partition_probabilities(config: SplitConfig, source_has_test: bool, source_has_validation: bool) -> Float64s:
    """The probability of each partition for a sampled group, float64 [P]."""
    test = 0.0 if source_has_test or config.test_from else config.test
    if config.folds is not None:
        return np.array([test, *[(1 - test) / config.folds] * config.folds])
    validation = 0.0 if source_has_validation or config.validation_from else config.validation
    return np.array([test, validation, 1 - test - validation])


def sample_partitions(keys: UInt64s, config: SplitConfig, probabilities: Float64s) -> Int16s:
    """A partition for each key, int16 [G]."""
    numbers = uniform_per_image(keys, "split", config.seed)
    if config.folds is None:
        ends = np.cumsum(probabilities)
        partitions: Int16s = np.add(numbers >= ends[0], numbers >= ends[1], dtype=np.int16)
        return partitions
    folds = (uniform_per_image(keys, "fold", config.seed) * config.folds).astype(np.int16)
    return np.where(numbers < probabilities[TEST], TEST, 1 + folds).astype(np.int16)
