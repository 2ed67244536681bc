"""Stop where a class is missing from a split: it could not be learned, or not be judged; and say what it would need."""

import numpy as np

from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import TEST, VALIDATION
from darkroom.splits.summary import Division
from darkroom.splits.tolerance import SEEDS_TRIED, empty_splits, first_full_seed, groups_needed, split_shares


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
