"""How far a class's share of a split may be from the wish, and how large a class must be to be in every split."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log, log1p

import numpy as np

from darkroom.splits.rule import NOWHERE, SPLITS, Floats, Images, Int64s, Parts, Ruled, Wish, draw_parts

# 99.9% of a normal distribution lie within so many standard deviations.
DEVIATIONS = 3.2905
TAIL = 0.0005
CHANCE = 0.99
SEEDS_TRIED = 100


@dataclass(frozen=True)
class Share:
    """A class in a split that is drawn for.

    Attributes:
        label: position in the class list.
        split: its name.
        found, wish, low, high: shares of the class's drawn images; the last two are the band's ends.
    """

    label: int
    split: str
    found: float
    wish: float
    low: float
    high: float

    @property
    def outside(self) -> bool:
        return not self.low <= self.found <= self.high


def band(wish: float, groups: Sequence[float] | Floats) -> Floats:
    """Where a share lies in 99.9% of all divisions, float64 [..., 2], not yet widened for whole images.

    Each of m groups is drawn by itself with chance p, so the count is binomial. Its quantiles by the first terms of Cornish
    and Fisher's expansion (1938): m p + z s + (z² - 1) (1 - 2 p) / 6, s² = m p (1 - p), z = ±3.29. Where none of the groups or
    all of them may well be drawn (in more than 0.05% of divisions), the band reaches there.

    Args:
        wish: p.
        groups: m, one for each class; may be fractions.
    """
    m = np.asarray(groups, dtype=np.float64)
    spread = DEVIATIONS * np.sqrt(m * wish * (1 - wish))
    skew = (DEVIATIONS**2 - 1) * (1 - 2 * wish) / 6
    ends = np.stack([m * wish - spread + skew, m * wish + spread + skew], axis=-1)
    certain = np.stack([(1 - wish) ** m, wish**m], axis=-1) > TAIL
    return np.where(certain, [0.0, 1.0], np.clip(ends / m[..., None], 0, 1))


def class_shares(
    labels: Int64s, images: Images, parts: Parts, ruled: Ruled, wish: Wish, fold: int, classes: int
) -> list[Share]:
    """Every class's share of each split that is drawn for, furthest from the wish first (in widths of its band).

    Images that the source or a date placed do not count, nor do withheld ones. Groups of unequal size n make a share vary as
    (Σn)² / Σn² equal ones would; the band is that of so many, and wider by the share of the largest group on either side, since
    shares move in such steps. By simulation at most 0.1% of divisions are outside, groups of half a class included.

    Args:
        labels: int64 [N], positions in the class list.
        parts: int16 [N], where the images are; `NOWHERE` for withheld.
        classes: how many there are.
    """
    counted = ruled.drawn & (parts != NOWHERE)
    owner, part = labels[counted], parts[counted]
    # A torn group counts once in each part.
    kins = len(images.group_names) * len(wish.parts)
    pairs, sizes = np.unique(owner * kins + images.group[counted] * len(wish.parts) + part, return_counts=True)
    total = np.bincount(owner, minlength=classes).astype(np.float64)
    squares = np.bincount(pairs // kins, weights=sizes.astype(np.float64) ** 2, minlength=classes)
    largest = np.zeros(classes)
    np.maximum.at(largest, pairs // kins, sizes)
    present = np.flatnonzero(total)
    total, groups = total[present], total[present] ** 2 / squares[present]
    shares = []
    for split, wished in split_shares(ruled.shares, wish, fold).items():
        if split == "train" or not wished:
            continue
        mine = np.isin(part, parts_of(split, wish, fold))
        found = np.bincount(owner[mine], minlength=classes)[present] / total
        ends = band(wished, groups) + np.array([-1, 1]) * (largest[present] / total)[:, None]
        shares += [
            Share(int(label), split, float(share), wished, max(0.0, float(low)), min(1.0, float(high)))
            for label, share, (low, high) in zip(present, found, ends, strict=True)
        ]
    return sorted(shares, key=lambda share: -abs(share.found - share.wish) / (share.high - share.low))


def split_shares(shares: Floats, wish: Wish, fold: int) -> dict[str, float]:
    """The chance of each split for a group that is drawn."""
    chances = dict.fromkeys(("test", "validation", "train"), 0.0)
    for split, share in zip(wish.splits(fold)[:-1], shares.tolist(), strict=True):
        chances[split] += share
    return chances


def groups_needed(chances: list[float]) -> int:
    """How many independent groups a class needs to be in each of these splits with a chance of 99%.

    Split by split, none of m groups falls into it with chance (1 - p) ** m; by Boole's inequality some split stays empty with
    the sum of these at most, which is exact to a group where the answer is more than ten.

    Args:
        chances: of each split that must not stay empty; those of splits that are not drawn for (0) are left out.
    """
    chances = [chance for chance in chances if chance > 0]
    if min(chances) == 1:
        return 1
    enough = ceil(log((1 - CHANCE) / len(chances)) / log1p(-min(chances)))
    return bisect_left(range(enough), CHANCE, lo=1, key=lambda m: 1 - sum((1 - chance) ** m for chance in chances))


def first_full_seed(labels: Int64s, images: Images, ruled: Ruled, wish: Wish, fold: int, classes: int) -> int | None:
    """The first of the next 100 seeds with which every class is in every split, all placed anew; None where none is."""
    pairs, rows = np.unique(labels * len(images.group_names) + images.group, return_index=True)
    owner, group, keys = pairs // len(images.group_names), images.group[rows], images.keys()
    number = np.array([SPLITS.index(split) for split in wish.splits(fold)[:-1]])
    for seed in range(wish.seed + 1, wish.seed + 1 + SEEDS_TRIED):
        drawn = draw_parts(keys, replace(wish, seed=seed), ruled.shares)[group]
        splits = number[np.where(ruled.drawn[rows], drawn, ruled.parts[rows])]
        full = np.zeros((classes, 3), dtype=bool)
        full[owner, splits] = True
        if full.all():
            return seed
    return None


def empty_splits(labels: Int64s, parts: Parts, wish: Wish, fold: int, classes: int) -> list[tuple[int, list[str]]]:
    """The classes that are missing somewhere, and in which splits."""
    placed = parts != NOWHERE
    cells = np.bincount(labels[placed] * len(wish.parts) + parts[placed], minlength=classes * len(wish.parts))
    counts = cells.reshape(classes, len(wish.parts))
    found = []
    for label in range(classes):
        missing = [split for split in SPLITS if not counts[label, parts_of(split, wish, fold)].any()]
        if missing:
            found.append((label, missing))
    return found


def parts_of(split: str, wish: Wish, fold: int) -> list[int]:
    """The parts that stand for a split."""
    return [part for part, name in enumerate(wish.splits(fold)[:-1]) if name == split]
