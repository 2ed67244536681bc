"""A finished division, as it is told on the terminal."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import (
    NOWHERE,
    SPLITS,
    TEST,
    UNCLAIMED,
    VALIDATION,
    WITHHELD,
    Bools,
    Images,
    Int64s,
    Parts,
    Ruled,
    Wish,
)
from darkroom.splits.sticky import placed_apart
from darkroom.splits.table import Recalled
from darkroom.splits.tolerance import (
    SEEDS_TRIED,
    class_shares,
    empty_splits,
    first_full_seed,
    groups_needed,
    split_shares,
)

# Images and classes named on the terminal; the table holds all.
TOLD = 5


@dataclass(frozen=True)
class Division:
    """Where N images of the given classes went, and why.

    Attributes:
        paths: string [N].
        labels: int64 [N], positions in `classes`.
        parts: int16 [N], `NOWHERE` for withheld images.
        fold: the one that validates, where there are folds.
    """

    classes: tuple[str, ...]
    paths: pa.ChunkedArray
    labels: Int64s
    images: Images
    recalled: Recalled
    ruled: Ruled
    parts: Parts
    wish: Wish
    fold: int

    def path(self, row: int) -> str:
        return str(self.paths[int(row)].as_py())

    def part(self, row: int) -> str:
        return WITHHELD if self.parts[row] == NOWHERE else self.wish.parts[self.parts[row]]


def totals(division: Division) -> list[str]:
    """`split: train 80 (80.0%), validation 10 (10.0%), test 10 (10.0%)`, and the folds' sizes."""
    parts, names = division.parts, division.wish.splits(division.fold)
    sizes = np.bincount(np.where(parts == NOWHERE, len(names) - 1, parts), minlength=len(names)).tolist()
    counts = dict.fromkeys((*SPLITS, WITHHELD), 0)
    for name, size in zip(names, sizes, strict=True):
        counts[name] += size
    told = [
        f"{name} {count:,} ({count / len(parts):.1%})" for name, count in counts.items() if count or name != WITHHELD
    ]
    lines = [f"split: {', '.join(told)}"]
    if division.wish.folds:
        low, high = min(sizes[1:-1]), max(sizes[1:-1])
        lines.append(f"  {division.wish.folds} folds of {low:,} to {high:,} images; fold {division.fold} validates")
    return lines


def memory(division: Division) -> list[str]:
    """What became of the placements of the run before."""
    recalled = division.recalled
    if recalled.changed:
        return [f"  every image is placed anew: {', '.join(recalled.changed)}"]
    lines = []
    kept = int((recalled.parts != NOWHERE).sum())
    if kept:
        lines.append(f"  {_images(kept)} stay where they were, {len(division.parts) - kept:,} are placed now")
    if recalled.reclaimed:
        lines.append(f"  the source says otherwise than before about {_images(recalled.reclaimed)}: placed anew")
    otherwise = int(((division.parts != division.ruled.parts) & (division.parts != NOWHERE)).sum())
    if otherwise:
        lines.append(
            f"  {_images(otherwise)} stay, or join copies that stay, where a run from nothing would not put them"
        )
    return lines


def notable(division: Division) -> list[str]:
    """Images that are not where they would be by themselves, by name."""
    claims, parts = division.images.claims, division.parts
    lines = _named(division, parts == NOWHERE, "withheld, linking images that were in different parts before")
    lines += _named(
        division,
        placed_apart(parts, division.images),
        "in another split than others of their group: they were placed before they were known to belong together. Set "
        "another split.seed, which places every image anew; of copies, all but one can be removed instead",
    )
    if division.wish.folds:
        count = int((claims == VALIDATION).sum())
        if count:
            lines.append(f"  the source's {count:,} validation images are divided with the rest: split.folds is set")
        claims = np.where(claims == VALIDATION, UNCLAIMED, claims)
    against = (claims != UNCLAIMED) & (parts != claims) & (parts != NOWHERE)
    lines += _named(division, against, "not in the split that the source names, but beside copies")
    if (claims == TEST).any() and not division.wish.test_from:
        joined = (claims == UNCLAIMED) & (parts == TEST) & (division.recalled.parts == NOWHERE)
        lines += _named(division, joined, "in test, beside copies in the source's test split")
    return lines + _named(division, division.ruled.fetched, "from before the cut, beside later copies")


def shares(division: Division) -> list[str]:
    """The class furthest from the wish, or all of those that are further than 99.9% of divisions would have them."""
    found = class_shares(
        division.labels,
        division.images,
        division.parts,
        division.ruled,
        division.wish,
        division.fold,
        len(division.classes),
    )
    outside = [share for share in found if share.outside]
    if not found:
        return []
    head = "furthest from the wish"
    if outside:
        head = f"{len(outside):,} of {len(found):,} shares are outside the band that one in 1,000 leaves by chance"
    lines = [f"  {head}:"]
    for share in outside[: 4 * TOLD] or found[:1]:
        lines.append(
            f"    {division.classes[share.label]}: {share.found:.1%} for {share.split}, wish {share.wish:.1%}, "
            f"band {share.low:.1%} to {share.high:.1%}"
        )
    if len(outside) > 4 * TOLD:
        lines.append(f"    … and {len(outside) - 4 * TOLD:,} more")
    return lines


def _named(division: Division, which: Bools, what: str) -> list[str]:
    """`3 images are …:` and the first few of them, each with its part and what decides it; nothing where there are none."""
    rows = np.flatnonzero(which)
    if not len(rows):
        return []
    lines = [f"  {_images(len(rows))} {what}:"]
    for row in rows[:TOLD]:
        lines.append(f"    {division.path(row)}: {division.part(row)}{_beside(division, row)}")
    if len(rows) > TOLD:
        lines.append(f"    … and {len(rows) - TOLD:,} more")
    return lines


def _beside(division: Division, row: int) -> str:
    """The first other image of the group in each part, as `; beside a.png in test, b.png in train`."""
    group = division.images.group
    mates = np.flatnonzero((group == group[row]) & (division.parts != NOWHERE) & (np.arange(len(group)) != row))
    parts, first = np.unique(division.parts[mates], return_index=True)
    return "".join(
        f"{', ' if k else '; beside '}{division.path(mates[at])} in {division.wish.parts[part]}"
        for k, (part, at) in enumerate(zip(parts, first, strict=True))
    )


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def require_every_class(division: Division) -> None:
    """Stop unless every class is in every split.

    Raises:
        DarkroomError: naming each such class, how many independent groups it has and how many it would need, and what to do:
            a seed that works is named where one of the next 100 does.
    """
    labels, wish, fold, ruled = division.labels, division.wish, division.fold, division.ruled
    missing = empty_splits(labels, division.parts, wish, fold, len(division.classes))
    if not missing:
        return
    chances = split_shares(ruled.shares, wish, fold)
    needed = groups_needed(list(chances.values()))
    lines, undrawn = [], set()
    for label, splits in missing:
        mine = labels == label
        images, groups = int(mine.sum()), len(np.unique(division.images.group[mine & ruled.drawn]))
        line = f"\n  {division.classes[label]}: none of its {images:,} images is in {' or '.join(splits)}; "
        if undrawn_here := [split for split in splits if not chances[split]]:
            undrawn.update(undrawn_here)
            line += "; ".join(_why_undrawn(division, split) for split in undrawn_here)
        elif groups == 1 < images:
            line += f"they are one group (copies, or one name in the source's column), and {needed:,} groups would do"
        else:
            line += (
                f"{groups:,} independent groups are drawn, and {needed:,} would be in every split with a chance of 99%"
            )
        lines.append(line)
    raise DarkroomError(
        "some classes are too small to be in every split:" + "".join(lines) + "\n" + _remedy(division, bool(undrawn))
    )


def _why_undrawn(division: Division, split: str) -> str:
    """Why nothing is drawn for a split: the source or a date decides."""
    claim = TEST if split == "test" else VALIDATION
    if (division.images.claims == claim).any():
        return f"the source brings its own {split} split: put images of this class into it"
    setting = f"{split}_from"
    return (
        f"none is from split.{setting} ({getattr(division.wish, setting)}) on: set an earlier day, or add later images"
    )


def _remedy(division: Division, undrawn: bool) -> str:
    """What helps where splits are drawn for; a seed can't help where they are not."""
    if undrawn:
        return "add different images to these classes, or leave such a class out of the source"
    share = "lower split.folds or raise split.test" if division.wish.folds else "raise split.validation or split.test"
    seed = first_full_seed(
        division.labels, division.images, division.ruled, division.wish, division.fold, len(division.classes)
    )
    if seed is None:
        tried = f"none of the next {SEEDS_TRIED} seeds puts every class into every split"
        return f"add different images to these classes, or {share}; {tried}"
    return (
        f"add different images to these classes, {share}, or set split.seed={seed}, with which every class is in every split "
        "(every image is then placed anew)"
    )
