"""How far a class's share of a split may be from the target, and how large a class must be to be in every split."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log, log1p

import numpy as np

from darkroom.runtime.arrays import Float64s
from darkroom.splits.rule import NO_PARTITION, SPLITS, sample_partitions
from darkroom.splits.table import SplitResult

# 99.9% of a normal distribution are within so many standard deviations.
DEVIATIONS = 3.2905
TAIL = 0.0005
# With this probability a class of the size that `groups_needed` gives is in every split.
CONFIDENCE = 0.99
SEEDS_TRIED = 100


@dataclass(frozen=True)
class ClassShare:
    """A class's share of a split that is sampled.

    Attributes:
        label: position in the class list.
        split: its name.
        actual, target, low, high: shares of the class's sampled images; the last two are the ends of the tolerance.
    """

    label: int
    split: str
    actual: float
    target: float
    low: float
    high: float

    @property
    def outside(self) -> bool:
        return not self.low <= self.actual <= self.high


def tolerance(target: float, groups: Sequence[float] | Float64s) -> Float64s:
    """The interval that a share is in with 99.9% of all seeds, float64 [..., 2], not yet widened for whole images.

    Each of m groups is sampled by itself with probability p, so the count is binomial. Its quantiles by the first terms of
    Cornish and Fisher's expansion (1938): m p + z s + (z² - 1) (1 - 2 p) / 6, s² = m p (1 - p), z = ±3.29. Where none of the
    groups or all of them may well be sampled (with more than 0.05% of the seeds), the interval reaches there.

    Args:
        target: p.
        groups: m, one for each class; may be fractions.
    """
    m = np.asarray(groups, dtype=np.float64)
    spread = DEVIATIONS * np.sqrt(m * target * (1 - target))
    skew = (DEVIATIONS**2 - 1) * (1 - 2 * target) / 6
    ends = np.stack([m * target - spread + skew, m * target + spread + skew], axis=-1)
    certain = np.stack([(1 - target) ** m, target**m], axis=-1) > TAIL
    return np.where(certain, [0.0, 1.0], np.clip(ends / m[..., None], 0, 1))


def class_balance(result: SplitResult) -> list[ClassShare]:
    """Every class's share of each split that is sampled, the largest deviation from target first (in widths of its tolerance).

    Images that the source or a date assigned do not count, nor do excluded ones. Groups of unequal size n make a share vary as
    (Σn)² / Σn² equal ones would; the tolerance is that of so many, and wider by the share of the largest group on either side,
    since shares move in such steps. By simulation at most 0.1% of the shares are outside, groups of half a class included.
    """
    images, classes, count = result.images, len(result.classes), len(result.config.partitions)
    counted = result.assignment.sampled & (result.partitions != NO_PARTITION)
    labels, partitions = result.labels[counted], result.partitions[counted]
    # A group in several partitions counts once in each.
    cells = len(images.group_names) * count
    pairs, sizes = np.unique(labels * cells + images.group[counted] * count + partitions, return_counts=True)
    total = np.bincount(labels, minlength=classes).astype(np.float64)
    squares = np.bincount(pairs // cells, weights=sizes.astype(np.float64) ** 2, minlength=classes)
    largest = np.zeros(classes)
    np.maximum.at(largest, pairs // cells, sizes)
    present = np.flatnonzero(total)
    total, groups = total[present], total[present] ** 2 / squares[present]
    shares = []
    for split, target in result.split_probabilities().items():
        if split == "train" or not target:
            continue
        in_split = np.isin(partitions, result.partitions_of(split))
        actual = np.bincount(labels[in_split], minlength=classes)[present] / total
        ends = tolerance(target, groups) + np.array([-1, 1]) * (largest[present] / total)[:, None]
        shares += [
            ClassShare(int(label), split, float(share), target, max(0.0, float(low)), min(1.0, float(high)))
            for label, share, (low, high) in zip(present, actual, ends, strict=True)
        ]
    return sorted(shares, key=lambda share: -abs(share.actual - share.target) / (share.high - share.low))


def groups_needed(probabilities: list[float]) -> int:
    """How many independent groups a class needs to be in each of these splits with a probability of 99%.

    Split by split, none of m groups is sampled for it with probability (1 - p) ** m; by Boole's inequality some split stays
    empty with the sum of these at most, which is exact to a group where the answer is more than ten.

    Args:
        probabilities: of each split that must not stay empty; those of splits that are not sampled (0) are left out.
    """
    probabilities = [probability for probability in probabilities if probability > 0]
    if min(probabilities) == 1:
        return 1
    enough = ceil(log((1 - CONFIDENCE) / len(probabilities)) / log1p(-min(probabilities)))
    return bisect_left(
        range(enough), CONFIDENCE, lo=1, key=lambda m: 1 - sum((1 - probability) ** m for probability in probabilities)
    )


def first_full_seed(result: SplitResult) -> int | None:
    """The first of the next 100 seeds with which every class is in every split; None where there is none."""
    images, assignment, config = result.images, result.assignment, result.config
    pairs, rows = np.unique(result.labels * len(images.group_names) + images.group, return_index=True)
    labels, group, keys = pairs // len(images.group_names), images.group[rows], images.keys()
    number = np.array([SPLITS.index(split) for split in config.splits(result.fold)[:-1]])
    for seed in range(config.seed + 1, config.seed + 1 + SEEDS_TRIED):
        sampled = sample_partitions(keys, replace(config, seed=seed), assignment.probabilities)[group]
        splits = number[np.where(assignment.sampled[rows], sampled, assignment.partitions[rows])]
        full = np.zeros((len(result.classes), 3), dtype=bool)
        full[labels, splits] = True
        if full.all():
            return seed
    return None


def empty_splits(result: SplitResult) -> list[tuple[int, list[str]]]:
    """The classes that are missing from a split, as positions in the class list, and from which."""
    assigned, count = result.partitions != NO_PARTITION, len(result.config.partitions)
    cells = np.bincount(
        result.labels[assigned] * count + result.partitions[assigned], minlength=len(result.classes) * count
    )
    counts = cells.reshape(len(result.classes), count)
    found = []
    for label in range(len(result.classes)):
        missing = [split for split in SPLITS if not counts[label, result.partitions_of(split)].any()]
        if missing:
            found.append((label, missing))
    return found
