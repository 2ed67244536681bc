"""Images that are the same: pairs across both sides, and copies within one, with their conflicts and leaks.

Groups are compared by their members, never by their names: a group's name changes when another member comes to lead it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.runtime.arrays import Bools, Int64s
from darkroom.splits.rule import EXCLUDED

# Images are paired in this order, so that as few changes as possible are reported: those with the same path first, then those
# with the same label.
PAIRINGS = (["sha256", "path"], ["sha256", "label"], ["sha256"])


@dataclass(frozen=True)
class Pairing:
    """Row numbers, int64, ascending in `after` and in `removed` and `added`.

    Attributes:
        before, after: the paired images, position by position.
        removed: rows of the side before that have no partner.
        added: rows of the side after that have none.
    """

    before: Int64s
    after: Int64s
    removed: Int64s
    added: Int64s


def pair(before: pd.DataFrame, after: pd.DataFrame) -> Pairing:
    """Pair images of equal bytes: of three copies, two of which stay, one was removed.

    Args:
        before, after: `sha256`, `path`, `label`, sorted by path.
    """
    left, right = _coded(before, after)
    found = []
    for keys in PAIRINGS:
        # The n-th of equal images on one side goes with the n-th on the other.
        left["nth"], right["nth"] = left.groupby(keys).cumcount(), right.groupby(keys).cumcount()
        pairs = left[[*keys, "nth", "row"]].merge(
            right[[*keys, "nth", "row"]], on=[*keys, "nth"], suffixes=("", "_after")
        )
        found.append(pairs[["row", "row_after"]].to_numpy())
        left = left[~np.isin(left["row"], found[-1][:, 0])].copy()
        right = right[~np.isin(right["row"], found[-1][:, 1])].copy()
    rows = np.concatenate(found)
    rows = rows[np.argsort(rows[:, 1])]
    return Pairing(rows[:, 0], rows[:, 1], left["row"].to_numpy(), right["row"].to_numpy())


def _coded(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with whole numbers in place of texts, equal for equal texts: numbers are paired ten times faster."""
    coded = {
        name: pd.factorize(pd.concat([before[name], after[name]], ignore_index=True))[0]
        for name in ("sha256", "path", "label")
    }
    both = pd.DataFrame(coded)
    left, right = both.iloc[: len(before)].copy(), both.iloc[len(before) :].copy()
    left["row"], right["row"] = np.arange(len(before)), np.arange(len(after))
    return left, right


def copy_sets(images: pd.DataFrame) -> Int64s:
    """Which images are copies of each other: equal numbers, int64 [N], counted from 0.

    A group is a set of copies and near-copies. Where the user's own groups are part of it, nothing in the tables distinguishes
    near-copies from images that the user groups: there only equal files count.

    Args:
        images: `sha256`, `group`, `user_group`.
    """
    groups = pd.factorize(images["group"])[0]
    users = np.bincount(groups, weights=images["user_group"].notna()) > 0
    if not users.any():
        return groups.astype(np.int64)
    contents = pd.factorize(images["sha256"])[0].astype(np.int64)
    combined = groups.astype(np.int64) * (len(images) + 1) + np.where(users[groups], contents + 1, 0)
    return pd.factorize(combined)[0].astype(np.int64)


def extra_copies(sets: Int64s) -> int:
    """Images beyond the first of their set."""
    return len(sets) - int(sets.max(initial=-1) + 1)


def changed_conflicts(
    before: pd.DataFrame, after: pd.DataFrame, sets_before: Int64s, sets_after: Int64s, pairing: Pairing
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Conflicts, that is sets of copies under several labels, that are only after, and those that were only before.

    A conflict is the same on both sides when it shares an image and its labels are the same.

    Returns:
        For each: `set` (counted from 0, in the order of their first paths), `path`, `label`, `exact` (whether all files of the
        set are equal); the index is the row.
    """
    labels = pd.factorize(pd.concat([before["label"], after["label"]], ignore_index=True))[0]
    old, new = (
        pd.DataFrame({"set": sets, "label": codes}).drop_duplicates()
        for sets, codes in ((sets_before, labels[: len(before)]), (sets_after, labels[len(before) :]))
    )
    old_labels = np.bincount(old["set"], minlength=sets_before.max(initial=-1) + 1)
    new_labels = np.bincount(new["set"], minlength=sets_after.max(initial=-1) + 1)
    shared = pd.DataFrame({"old": sets_before[pairing.before], "new": sets_after[pairing.after]})
    shared = shared[(old_labels[shared["old"]] > 1) & (old_labels[shared["old"]] == new_labels[shared["new"]])]
    common = shared.drop_duplicates().merge(old, left_on="old", right_on="set")
    common = common.merge(new, left_on=["new", "label"], right_on=["set", "label"]).groupby(["old", "new"]).size()
    same = common[common == old_labels[common.index.get_level_values("old")]].index
    in_old, in_new = old_labels > 1, new_labels > 1
    in_old[same.get_level_values("old")] = False
    in_new[same.get_level_values("new")] = False
    return _members(after, sets_after, in_new), _members(before, sets_before, in_old)


def _members(images: pd.DataFrame, sets: Int64s, chosen: Bools) -> pd.DataFrame:
    """`set`, `path`, `label`, `exact` of the images of the chosen sets, set by set in the order of their first paths."""
    rows = np.flatnonzero(chosen[sets]) if len(sets) else np.empty(0, dtype=np.int64)
    # The rows ascend, so sets get their numbers in the order of their first paths.
    numbers = pd.factorize(sets[rows])[0]
    order = np.argsort(numbers, kind="stable")
    members: pd.DataFrame = images.iloc[rows[order]][["path", "label", "sha256"]].copy()
    members.insert(0, "set", numbers[order])
    members["exact"] = members.groupby("set")["sha256"].transform("nunique") == 1
    return members.drop(columns="sha256")


def new_copies(after: pd.DataFrame, sets: Int64s, added: Int64s) -> pd.DataFrame:
    """Added images that are copies of another image.

    Args:
        after: `path`, `label`, and where known `split`; sorted by path.
        sets: as `copy_sets` gives them.
        added: rows of the added images, ascending.

    Returns:
        `path`, `label`, `of` (the path of the first older image that it copies, or where there is none of the first new
        one), `of_label`, `older` (whether that one was there before), `row` of `of`; the index is the row.
    """
    is_new = np.zeros(len(after), dtype=bool)
    is_new[added] = True
    # The first row of each set, of older images where there are any: np.unique gives first places, so older rows go first.
    order = np.concatenate([np.flatnonzero(~is_new), added])
    first = np.full(sets.max(initial=-1) + 1, -1, dtype=np.int64)
    found, positions = np.unique(sets[order], return_index=True)
    first[found] = order[positions]
    copied = first[sets[added]]
    rows, copied = added[copied != added], copied[copied != added]
    of = after.iloc[copied]
    copies: pd.DataFrame = after.iloc[rows][["path", "label"]].assign(
        of=of["path"].to_numpy(), of_label=of["label"].to_numpy(), older=~is_new[copied], row=copied
    )
    return copies


@dataclass(frozen=True)
class Leaks:
    """Groups with images in several splits.

    Attributes:
        images: of the leaking groups: `set`, `path`, `label`, `exact`, `split`, `new`; the index is the
            row.
        split_groups: how many groups have older images in several splits, which a newer near-copy joined; that one is
            excluded, so these are no leaks.
    """

    images: pd.DataFrame
    split_groups: int


def find_leaks(after: pd.DataFrame, added: Int64s) -> Leaks:
    """Groups of copies, and of the user's own, with images in several of the splits.

    Args:
        after: `sha256`, `path`, `label`, `group`, `user_group`, `split`.
        added: rows of the added images.
    """
    groups, contents = pd.factorize(after["group"])[0], pd.factorize(after["sha256"])[0]
    splits = pd.factorize(after["split"])[0]
    excluded = (after["split"] == EXCLUDED).to_numpy(dtype=bool)
    in_several = _in_several(groups, splits, excluded)
    # A group of the user's is one with or without an excluded image that links it.
    users = np.bincount(groups, weights=after["user_group"].notna(), minlength=len(in_several)) > 0
    leaking = in_several & (users | (np.bincount(groups, weights=excluded, minlength=len(in_several)) == 0))
    leaking[groups[_in_several(contents, splits, excluded)[contents]]] = True
    is_new = np.zeros(len(after), dtype=bool)
    is_new[added] = True
    images = _members(after, groups.astype(np.int64), leaking)
    images = images.assign(split=after["split"].iloc[images.index].to_numpy(), new=is_new[images.index])
    return Leaks(images, int((in_several & ~leaking).sum()))


def _in_several(of: Int64s, splits: Int64s, excluded: Bools) -> Bools:
    """For each number in `of` whether its images are in several splits; excluded images are in none."""
    found = np.zeros((of.max(initial=-1) + 1, splits.max(initial=-1) + 1), dtype=bool)
    found[of[~excluded], splits[~excluded]] = True
    in_several: Bools = found.sum(axis=1) > 1
    return in_several
