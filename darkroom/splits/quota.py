"""Small classes by quota: with few groups, each drawn by itself, a class would often be missing from a split."""

import numpy as np

from darkroom.runtime.arrays import Bools, Float64s, Int16s, Int64s
from darkroom.runtime.seeding import uniform_per_image
from darkroom.splits.rule import NO_PARTITION, TEST, SplitConfig, SplitInput, distinct

# With 40 groups the draw puts a class into both 10% splits with a probability of 97%; with 25 with 86%, so that 120 such
# classes all are with one of 70 million seeds.
FEW_GROUPS = 40


def place_by_quota(
    partitions: Int16s, is_new: Bools, images: SplitInput, config: SplitConfig, probabilities: Float64s
) -> tuple[Int16s, Bools]:
    """Place the new groups of small classes so that each class is in every partition, and within one group of its target.

    A class is small with fewer than `FEW_GROUPS` groups, or where the draw leaves it out of a partition. Small classes take
    turns, those with the fewest groups first (as in iterative stratification: Sechidis, Tsoumakas, Vlahavas 2011). The new
    groups of a class, in the order of their random numbers, are given to test until test has its number (`_numbers`), then
    to the next partition. A group that has images of several classes is placed by the first of them, and counts for the
    others; a class that this leaves out of a partition goes first in another round. What is not new stays where it is, and
    counts.

    The result depends on the set of images and on what was placed before, not on the order of the rows.

    Args:
        partitions: int16 [N], `NO_PARTITION` for images that take no part; of new groups by the draw.
        is_new: bool [N], of groups of which no image has a place yet.
        probabilities: float64 [P], of each partition for a sampled group; those with 0 take no part.

    Returns:
        The partitions, int16 [N]; and which classes were placed by quota, bool [C].
    """
    classes, groups, count = len(images.classes), len(images.keys), len(probabilities)
    counted = (partitions != NO_PARTITION) & (probabilities[partitions] > 0)
    codes = images.label[counted].astype(np.int64)
    for length, column in ((groups, images.group), (count, partitions)):
        codes *= length
        codes += column[counted]
    codes, _ = distinct(codes)
    starts = np.searchsorted(codes, np.arange(classes + 1) * (groups * count))
    sizes = np.diff(starts)
    label = np.repeat(np.arange(classes), sizes)
    partition = (codes % count).astype(np.int16)
    codes //= count
    group = (codes % groups).astype(np.int32)
    drawn = np.full(groups, NO_PARTITION, dtype=np.int16)
    drawn[images.group[is_new]] = partitions[is_new]
    new = drawn[group] != NO_PARTITION
    sampled = int((probabilities > 0).sum())
    by_quota = (sizes > 0) & (sizes < FEW_GROUPS) & (sampled > 1)
    goes_first = np.zeros(classes, dtype=bool)
    while True:
        placed, waits = drawn.copy(), drawn != NO_PARTITION
        for each in sorted(
            np.flatnonzero(by_quota), key=lambda number: (not goes_first[number], sizes[number], number)
        ):
            rows = slice(starts[each], starts[each + 1])
            waiting = group[rows][waits[group[rows]]]
            now = np.where(new[rows], placed[group[rows]], partition[rows])
            there = np.bincount(now[~waits[group[rows]]], minlength=count)
            numbers = _numbers(there, len(waiting), probabilities, images.classes[each], config.seed)
            ordered = waiting[np.argsort(uniform_per_image(images.keys[waiting], "split", config.seed))]
            others = ordered[numbers[TEST] :]
            if config.folds:
                others = others[np.argsort(uniform_per_image(images.keys[others], "fold", config.seed))]
            placed[ordered[: numbers[TEST]]] = TEST
            placed[others] = np.repeat(np.arange(1, count), numbers[1:])
            waits[waiting] = False
        now = np.where(new, placed[group], partition)
        filled = np.bincount(label * count + now, minlength=classes * count).reshape(classes, count) > 0
        missing = (sizes >= sampled) & ~goes_first & (~filled & (probabilities > 0)).any(axis=1)
        if not missing.any():
            return np.where(is_new, placed[images.group], partitions).astype(np.int16), by_quota
        goes_first |= missing & by_quota
        by_quota |= missing


def _numbers(there: Int64s, new: int, probabilities: Float64s, name: str, seed: int) -> Int64s:
    """How many new groups of a class each partition gets, int64 [P].

    Targets are rounded to whole groups with one random number for the class, floor(c + u) for the cumulative targets c
    (systematic sampling, Madow 1949): every partition is within one group of its target, and over many classes the splits
    have their shares. Where that would leave a partition empty, or has fewer groups than are there already, each group goes
    where the class lacks most of its target, empty partitions first.

    Args:
        there: int64 [P], groups that are placed already.
        new: how many are not.
        name: of the class.
    """
    targets = probabilities * (there.sum() + new)
    ties = uniform_per_image(np.arange(len(probabilities), dtype=np.uint64), "quota", seed, name)
    ends = np.floor(np.cumsum(targets)[:-1] + ties[TEST])
    rounded: Int64s = np.diff(ends, prepend=0, append=there.sum() + new).astype(np.int64)
    if (rounded >= np.maximum(there, probabilities > 0)).all():
        return rounded - there
    counts: Int64s = there.copy()
    ties[TEST] = 1
    for _ in range(new):
        lacking = np.where(counts == 0, len(counts) + targets.sum(), targets - counts) + 1e-6 * ties
        counts[np.where(probabilities > 0, lacking, -np.inf).argmax()] += 1
    return counts - there
