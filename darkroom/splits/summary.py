"""The split summary: lines for the terminal, and the error where a class is missing from a split."""

import numpy as np

from darkroom.runtime.arrays import Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count
from darkroom.splits.excluded import excluded_rows
from darkroom.splits.quota import FEW_GROUPS
from darkroom.splits.rule import EXCLUDED, NO_PARTITION, SPLITS, TEST, VALIDATION
from darkroom.splits.sticky import apart_from_group
from darkroom.splits.table import SplitResult
from darkroom.splits.tolerance import SEEDS_TRIED, class_balance, empty_splits, first_full_seed

# Images and classes listed on the terminal; the table has all.
LISTED_IMAGES, LISTED_CLASSES = 5, 20


def summary_lines(result: SplitResult) -> list[str]:
    """What the stage prints."""
    return [*_totals(result), *_previous(result), *_quota(result), *_notable(result), *_balance(result)]


def _totals(result: SplitResult) -> list[str]:
    """`split: train 80 (80.0%), validation 10 (10.0%), test 10 (10.0%)`, and the folds' sizes."""
    partitions, names = result.partitions, result.config.splits(result.fold)
    positions = np.where(partitions == NO_PARTITION, len(names) - 1, partitions)
    sizes = np.bincount(positions, minlength=len(names)).tolist()
    counts = dict.fromkeys((*SPLITS, EXCLUDED), 0)
    for name, size in zip(names, sizes, strict=True):
        counts[name] += size
    texts = [
        f"{name} {size:,} ({size / len(partitions):.1%})" for name, size in counts.items() if size or name != EXCLUDED
    ]
    lines = [f"split: {', '.join(texts)}"]
    if result.config.folds:
        low, high = min(sizes[1:-1]), max(sizes[1:-1])
        lines.append(f"  {result.config.folds} folds of {low:,} to {high:,} images; fold {result.fold} validates")
    return lines


def _previous(result: SplitResult) -> list[str]:
    """What became of the previous split."""
    previous = result.previous
    if previous.changed:
        return [f"  every image is assigned again: {', '.join(previous.changed)}"]
    lines = []
    unchanged = int((previous.partitions != NO_PARTITION).sum())
    if unchanged:
        lines.append(
            f"  {count(unchanged, 'image')} as in the previous split, {len(result.partitions) - unchanged:,} new"
        )
    if previous.source_changed:
        lines.append(
            f"  the source has another split than before for {count(previous.source_changed, 'image')}: assigned again"
        )
    otherwise = (result.partitions != result.from_nothing) & (result.partitions != NO_PARTITION)
    if otherwise.any():
        lines.append(
            f"  {count(int(otherwise.sum()), 'image')} in the split of the previous run, alone or with copies, that a first "
            "run would put into another"
        )
    return lines


def _quota(result: SplitResult) -> list[str]:
    """Which classes are placed by quota, and what that means."""
    labels = np.flatnonzero(result.assignment.by_quota)
    if not len(labels):
        return []
    names = ", ".join(result.images.classes[label] for label in labels[:LISTED_IMAGES])
    more = ", …" if len(labels) > LISTED_IMAGES else ""
    return [
        f"  by quota: {count(len(labels), 'class', 'classes')} with fewer than {FEW_GROUPS} groups, or that the draw would "
        f"leave out of a split ({names}{more})",
        "    their images stay where they are as data grows; a run from nothing on the grown data may place them otherwise",
    ]


def _notable(result: SplitResult) -> list[str]:
    """Images that are not where they would be by themselves, with their paths."""
    lines = []
    for reason, rows in excluded_rows(result).items():
        lines += _listed(result, rows, f"excluded, {reason}")
        before = int((result.previous.partitions[rows] != NO_PARTITION).sum())
        if before:
            lines.append(f"    {before:,} of them {'was' if before == 1 else 'were'} in a split in the previous run")
    lines += _listed(
        result,
        np.flatnonzero(apart_from_group(result.partitions, result.images)),
        "in another split than others of their group: they were assigned before they were found to belong together. Set "
        "another split.seed, which assigns every image again; of copies, all but one can be removed instead",
    )
    number = int((result.images.source_split == VALIDATION).sum())
    if result.config.folds and number:
        lines.append(f"  the source's {number:,} validation images are divided with the rest: split.folds is set")
    return lines


def _balance(result: SplitResult) -> list[str]:
    """The class with the largest deviation from target, or all of those outside the tolerance."""
    shares = class_balance(result)
    outside = [share for share in shares if share.outside]
    if not shares:
        return []
    head = "class balance, largest deviation from target"
    if outside:
        head = (
            f"class balance, {len(outside):,} of {len(shares):,} shares outside the tolerance (at random 1 in 1,000 is)"
        )
    lines = [f"  {head}:"]
    for share in outside[:LISTED_CLASSES] or shares[:1]:
        lines.append(
            f"    {result.images.classes[share.label]}: {share.actual:.1%} in {share.split}, target {share.target:.1%}, "
            f"tolerance {share.low:.1%} to {share.high:.1%}"
        )
    if len(outside) > LISTED_CLASSES:
        lines.append(f"    … and {len(outside) - LISTED_CLASSES:,} more")
    return lines


def _listed(result: SplitResult, rows: Int64s, what: str) -> list[str]:
    """`3 images …:` and the first few of them, each with its partition and its group's; nothing where there are none."""
    if not len(rows):
        return []
    lines = [f"  {count(len(rows), 'image')} {what}:"]
    for row in rows[:LISTED_IMAGES]:
        lines.append(f"    {result.path(int(row))}: {result.partition(row)}{_beside(result, row)}")
    if len(rows) > LISTED_IMAGES:
        lines.append(f"    … and {len(rows) - LISTED_IMAGES:,} more")
    return lines


def _beside(result: SplitResult, row: int) -> str:
    """The first other image of the group in each partition, as `; beside a.png in test, b.png in train`."""
    group = result.images.group
    others = np.flatnonzero(
        (group == group[row]) & (result.partitions != NO_PARTITION) & (np.arange(len(group)) != row)
    )
    partitions, first = np.unique(result.partitions[others], return_index=True)
    return "".join(
        f"{', ' if number else '; beside '}{result.path(int(others[position]))} in {result.config.partitions[partition]}"
        for number, (partition, position) in enumerate(zip(partitions, first, strict=True))
    )


def require_every_class(result: SplitResult) -> None:
    """Stop where a class is missing from a split: it could not be learned, or not be evaluated.

    Raises:
        DarkroomError: with each such class, how many independent groups it has and how many it needs, and what to do: a seed
            that works, where the classes have enough groups and one of the next seeds does.
    """
    missing = empty_splits(result)
    if not missing:
        return
    probabilities = result.split_probabilities()
    needed = int((result.assignment.probabilities > 0).sum())
    lines, seed_helps = [], True
    for label, splits in missing:
        of_class = result.images.label == label
        images, excluded = int(of_class.sum()), int((of_class & (result.partitions == NO_PARTITION)).sum())
        groups = len(np.unique(result.images.group[of_class & result.assignment.sampled]))
        line = f"\n  {result.images.classes[label]}: none of its {images:,} images is in {' or '.join(splits)}; "
        if fixed := [split for split in splits if not probabilities[split]]:
            line += "; ".join(_why_fixed(result, split) for split in fixed)
        elif groups < needed:
            line += f"{_independent(groups, images - excluded)}, and it takes {needed:,}, one for each {_each(result)}"
        else:
            line += f"its {groups:,} independent groups have images of other classes, too, or were assigned in an earlier run"
        if excluded:
            line += f" ({excluded:,} of its images {'is' if excluded == 1 else 'are'} excluded)"
        seed_helps &= not fixed and groups >= needed
        lines.append(line)
    raise DarkroomError(
        "some classes are too small to be in every split:" + "".join(lines) + "\n" + _remedy(result, seed_helps)
    )


def _independent(groups: int, images: int) -> str:
    """How many groups a class has, in words."""
    if groups == 1 < images:
        return (
            "they are one group (copies, of which validate.near_copies=false counts equal files alone, or one name in the "
            "source's column)"
        )
    return f"it has {count(groups, 'independent group')}"


def _each(result: SplitResult) -> str:
    """What a class needs a group for: each sampled split, or each fold."""
    if result.config.folds:
        return "fold and the test split" if result.assignment.probabilities[TEST] else "fold"
    probabilities = result.split_probabilities()
    *others, last = (split for split in SPLITS if probabilities[split])
    return f"of {', '.join(others)} and {last}" if others else f"of {last}"


def _why_fixed(result: SplitResult, split: str) -> str:
    """Why a split is not sampled: the source or a date decides."""
    partition = TEST if split == "test" else VALIDATION
    if (result.images.source_split == partition).any():
        return f"the source brings its own {split} split: put images of this class into it"
    setting = f"{split}_from"
    return (
        f"none is from split.{setting} ({getattr(result.config, setting)}) on: set an earlier day, or add later images"
    )


def _remedy(result: SplitResult, seed_helps: bool) -> str:
    """What helps; a seed can't where splits are not sampled, or a class has too few groups."""
    advice = "add different images to these classes, or leave such a class out of the source"
    if not seed_helps:
        return advice + ("; or lower split.folds" if result.config.folds else "")
    seed = first_full_seed(result)
    if seed is None:
        return f"{advice}; none of the next {SEEDS_TRIED} seeds puts every class into every split"
    return f"set split.seed={seed}, with which every class is in every split (every image is then assigned again); or {advice}"
