"""How far a class's share of a split may be from the target, and the classes that are missing from a split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np

from darkroom.runtime.arrays import Float64s
from darkroom.splits.assignment import assign
from darkroom.splits.rule import NO_PARTITION, SPLITS, distinct
from darkroom.splits.table import SplitResult

# 99.9% of a normal distribution are within so many standard deviations.
DEVIATIONS = 3.2905
TAIL = 0.0005
SEEDS_TRIED = 20


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


def tolerance(target: float, groups: float | Sequence[float] | Float64s) -> Float64s:
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

    Images that the source or a date assigned do not count, nor do excluded ones. Where a class is drawn, groups of unequal size
    n make a share vary as (Σn)² / Σn² equal ones would; the tolerance is that of so many, and wider by the share of the largest
    group on either side, since shares move in such steps. By simulation at most 0.1% of the shares are outside, groups of half
    a class included. Where it is placed by quota, the tolerance is one group more or less, the smallest or the largest ones.
    """
    images, classes, count = result.images, len(result.images.classes), len(result.config.partitions)
    counted = result.assignment.sampled & (result.partitions != NO_PARTITION)
    labels, partitions = images.label[counted], result.partitions[counted]
    # A group in several partitions counts once in each.
    cells = len(images.keys) * count
    codes = labels.astype(np.int64)
    for length, column in ((len(images.keys), images.group[counted]), (count, partitions)):
        codes *= length
        codes += column
    pairs, sizes = distinct(codes)
    starts = np.searchsorted(pairs, np.arange(classes + 1) * cells)
    targets = {split: target for split, target in result.split_probabilities().items() if split != "train" and target}
    in_split = {
        split: np.bincount(labels[np.isin(partitions, result.partitions_of(split))], minlength=classes)
        for split in targets
    }
    shares = []
    for label in np.flatnonzero(np.diff(starts)).tolist():
        ordered = np.sort(sizes[starts[label] : starts[label + 1]]).astype(np.float64)
        for split, target in targets.items():
            low, high = _ends(ordered, target, bool(result.assignment.by_quota[label]))
            actual = float(in_split[split][label] / ordered.sum())
            shares.append(ClassShare(label, split, actual, target, low, high))
    return sorted(shares, key=lambda share: -abs(share.actual - share.target) / (share.high - share.low))


def _ends(sizes: Float64s, target: float, by_quota: bool) -> tuple[float, float]:
    """The tolerance of a class's share, given the sizes of its groups, the smallest first."""
    total = sizes.sum()
    if by_quota:
        # Rounded, since 30 * 0.1 is a little more than 3.
        fewest, most = ceil(round(len(sizes) * target - 1, 9)), floor(round(len(sizes) * target + 1, 9))
        return float(sizes[: max(0, fewest)].sum() / total), float(sizes[max(0, len(sizes) - most) :].sum() / total)
    low, high = tolerance(target, total**2 / (sizes**2).sum()) + np.array([-1, 1]) * sizes[-1] / total
    return max(0.0, float(low)), min(1.0, float(high))


def first_full_seed(result: SplitResult) -> int | None:
    """The first of the next 20 seeds with which every class is in every split; None where there is none."""
    for seed in range(result.config.seed + 1, result.config.seed + 1 + SEEDS_TRIED):
        config = replace(result.config, seed=seed)
        assignment = assign(result.images, config)
        if not empty_splits(replace(result, assignment=assignment, config=config)):
            return seed
    return None


def empty_splits(result: SplitResult) -> list[tuple[int, list[str]]]:
    """The classes that are missing from a split, as positions in the class list, and from which."""
    images, assigned, count = result.images, result.partitions != NO_PARTITION, len(result.config.partitions)
    cells = np.bincount(
        images.label[assigned].astype(np.int64) * count + result.partitions[assigned],
        minlength=len(images.classes) * count,
    )
    counts = cells.reshape(len(images.classes), count)
    found = []
    for label in range(len(images.classes)):
        missing = [split for split in SPLITS if not counts[label, result.partitions_of(split)].any()]
        if missing:
            found.append((label, missing))
    return found
