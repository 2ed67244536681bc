"""The draw: which image goes to which split by its group alone, so that growth moves nothing.

The rule assigns groups to partitions, numbered from 0: `test`, `validation`, `train`; with folds `test`, `fold 0`, `fold 1`, …
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Float64s, Int16s, Int64s, UInt64s
from darkroom.runtime.columns import leading_bits
from darkroom.runtime.seeding import uniform_per_image

SPLITS = ("train", "validation", "test")
# The split of images that belong to none, and their number in place of a partition's.
EXCLUDED, NO_PARTITION = "excluded", -1
TEST, VALIDATION, UNDECIDED = 0, 1, 2


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
    """The images as numbers; N images in G groups, in the manifest's order.

    Attributes:
        label: int64 [N], which of `classes`, the class list.
        group: int64 [N], which of `group_names` (string [G]).
        content: int64 [N]: images with the same number have the same bytes.
        source_split: int64 [N], `TEST` or `VALIDATION` where the source puts the image there, else `UNDECIDED`.
        timestamp: int64 [N], microseconds since 1970 (UTC); the smallest number where the source has none.
    """

    label: Int64s
    classes: tuple[str, ...]
    group: Int64s
    group_names: pa.Array
    content: Int64s
    source_split: Int64s
    timestamp: Int64s

    @classmethod
    def of(cls, manifest: pa.Table, groups: pa.Table, classes: tuple[str, ...]) -> "SplitInput":
        """From the manifest, the table `id, group` of the validate stage, which has the same rows, and the class list."""
        grouped = pc.dictionary_encode(groups["group"].combine_chunks())
        source_split = pc.index_in(manifest["source_split"], value_set=pa.array(["test", "validation"]))
        timestamp = pc.fill_null(manifest["timestamp"].cast(pa.int64()), np.iinfo(np.int64).min)
        return cls(
            pc.index_in(manifest["label"], value_set=pa.array(classes)).to_numpy().astype(np.int64),
            classes,
            grouped.indices.to_numpy().astype(np.int64),
            grouped.dictionary,
            pc.dictionary_encode(manifest["sha256"].combine_chunks()).indices.to_numpy().astype(np.int64),
            pc.fill_null(source_split, UNDECIDED).to_numpy().astype(np.int64),
            timestamp.to_numpy(),
        )

    def keys(self) -> UInt64s:
        """The first 64 bits of each group's name, a SHA-256 in hex: uint64 [G]."""
        return leading_bits(self.group_names)


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
    source_split = np.where(images.source_split == TEST, TEST, UNDECIDED) if config.folds else images.source_split
    dated = np.full(len(images.group), UNDECIDED)
    for partition, day in ((VALIDATION, config.validation_from), (TEST, config.test_from)):
        if day is not None:
            dated[images.timestamp >= (day - date(1970, 1, 1)).days * 86_400_000_000] = partition
    by_source = _lowest(source_split, images)
    decided = np.where(by_source != UNDECIDED, by_source, _lowest(dated, images))
    probabilities = partition_probabilities(
        config, source_has_test=bool((source_split == TEST).any()), source_has_validation=VALIDATION in source_split
    )
    sampled = decided == UNDECIDED
    partitions = np.where(sampled, sample_partitions(images.keys(), config, probabilities), decided)[images.group]
    asked = np.where(source_split != UNDECIDED, source_split, dated)
    excluded = ~sampled[images.group] & (asked != partitions)
    return Assignment(
        np.where(excluded, NO_PARTITION, partitions).astype(np.int16),
        sampled[images.group],
        ((by_source == UNDECIDED) & ~sampled)[images.group],
        probabilities,
        np.zeros(len(images.classes), dtype=bool),
    )


def _lowest(codes: Int64s, images: SplitInput) -> Int64s:
    """The smallest code of each group, int64 [G]."""
    lowest = np.full(len(images.group_names), UNDECIDED)
    np.minimum.at(lowest, images.group, codes)
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
        return np.searchsorted(np.cumsum(probabilities)[:2], numbers, side="right").astype(np.int16)
    folds = (uniform_per_image(keys, "fold", config.seed) * config.folds).astype(np.int16)
    return np.where(numbers < probabilities[TEST], TEST, 1 + folds).astype(np.int16)
