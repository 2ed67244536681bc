"""What changed between two states of the data, from their tables alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.diff.copies import Leaks, changed_conflicts, copy_sets, extra_copies, find_leaks, new_copies, pair
from darkroom.diff.measures import (
    DistributionShift,
    Score,
    by_class,
    by_split,
    changed_fixes,
    changed_rejects,
    class_shift,
    measured_shifts,
    newly_excluded,
    paired_scores,
    same_test_images,
)
from darkroom.diff.state import State
from darkroom.statistics.shift import Shift

TEST = "test"


@dataclass(frozen=True)
class Difference:
    """From one state to another. Every table is sorted by path; the index of a table of images is the row in the state's
    `images`: of the state before for what is gone (`removed`, `conflicts_resolved`), of the state after for the rest.

    The images add up: those after are those before, plus added, minus removed; and in each class also plus those
    relabelled into it, minus those relabelled out of it.

    Attributes:
        before, after: the names of the states.
        classes: one row a class of either list: `label`, `before`, `after` (images), `added`, `removed`, `gained`, `lost`
            (through relabelling) and `moved` (between splits).
        splits: `split`, `before`, `after` (images), of the splits that there are; None where they are not known on both
            sides.
        added, removed: `path`, `label`.
        relabelled: the same bytes under another label: `path`, `label`, `path_before`, `label_before`.
        renamed: the same bytes and label at another path: `path`, `label`, `path_before`.
        moved: images on both sides whose split changed: `path`, `label`, `split_before`, `split`; None where a split is
            not known on both sides.
        excluded: `path`, `label` of the images that are in no split and were in one, or are added; None where a split is
            not known on both sides.
        test_changed: images of the test split before that were relabelled, removed or moved out of it: `path` before, `label`
            before, `how`, in words; None where splits are not known on both sides.
        classes_added, classes_removed: names. Their order is the list's.
        classes_reordered: whether the classes on both sides are in another order, which changes their labels.
        fixes_added: what reviewers decided about labels since, as in `State.fixes`; an altered decision counts, too.
        fixes_withdrawn: decisions of images that have none any more, as in `State.fixes`.
        rejects: files that could not be read, before and after.
        rejects_added: `path`, `reason`, of those that were not rejected for this reason before.
        rejects_resolved: `path`, `reason`, of those that are not any more, and `now`: `ingested`, `gone` or `rejected for
            another reason`.
        copies: images beyond the first of their set of copies, before and after; None where groups are not known on both
            sides.
        conflicts_added, conflicts_resolved: pictures under several labels: `set`, `path`, `label`, `exact`, set by
            set.
        new_copies: added images that copy another one, as from `darkroom.diff.copies.new_copies`; None where groups are not
            known after.
        leaks: None where groups or splits are not known after.
        class_shift: class balance of all images, and of the added ones.
        shifts: what was measured of every image.
        scores: name → before and after; None where there is none.
        same_test_images: whether the test splits have the same images with the same labels; None where not known.
        remarks: what is missing or outdated on either side.
    """

    before: str
    after: str
    classes: pd.DataFrame
    splits: pd.DataFrame | None
    added: pd.DataFrame
    removed: pd.DataFrame
    relabelled: pd.DataFrame
    renamed: pd.DataFrame
    moved: pd.DataFrame | None
    excluded: pd.DataFrame | None
    test_changed: pd.DataFrame | None
    classes_added: tuple[str, ...]
    classes_removed: tuple[str, ...]
    classes_reordered: bool
    fixes_added: pd.DataFrame
    fixes_withdrawn: pd.DataFrame
    rejects: tuple[int, int]
    rejects_added: pd.DataFrame
    rejects_resolved: pd.DataFrame
    copies: tuple[int, int] | None
    conflicts_added: pd.DataFrame
    conflicts_resolved: pd.DataFrame
    new_copies: pd.DataFrame | None
    leaks: Leaks | None
    class_shift: tuple[Shift, Shift | None]
    shifts: list[DistributionShift]
    scores: dict[str, tuple[Score | None, Score | None]]
    same_test_images: bool | None
    remarks: tuple[str, ...]

    @property
    def images(self) -> tuple[int, int]:
        """Readable images before and after."""
        return int(self.classes["before"].sum()), int(self.classes["after"].sum())

    @property
    def data_is_equal(self) -> bool:
        """Whether images, labels, splits, rejects and class list are the same."""
        changes = (
            *(self.added, self.removed, self.relabelled, self.renamed, self.rejects_added, self.rejects_resolved),
            *(self.conflicts_added, self.conflicts_resolved),
        )
        return (
            all(table.empty for table in changes)
            and (self.moved is None or self.moved.empty)
            and not (self.classes_added or self.classes_removed or self.classes_reordered)
        )


def compare(before: State, after: State) -> Difference:
    """Compare two states; a state compared with itself gives an empty difference.

    A million images on both sides take 3 s on an idle machine (two cores).
    """
    pairing = pair(before.images, after.images)
    stayed = _beside(before.images, after.images, pairing.before, pairing.after)
    added, removed = after.images.iloc[pairing.added], before.images.iloc[pairing.removed]
    relabelled = stayed[stayed["label_before"] != stayed["label"]]
    renamed = stayed[(stayed["label_before"] == stayed["label"]) & (stayed["path_before"] != stayed["path"])]
    moved = stayed[stayed["split_before"] != stayed["split"]] if "split" in stayed else None
    sets = [copy_sets(side.images) if "group" in side.images else None for side in (before, after)]
    copies, conflicts = None, (after.images[["path", "label"]].iloc[:0].assign(set=[], exact=[]),) * 2
    if sets[0] is not None and sets[1] is not None:
        copies = (extra_copies(sets[0]), extra_copies(sets[1]))
        conflicts = changed_conflicts(before.images, after.images, sets[0], sets[1], pairing)
    rejects_added, rejects_resolved = changed_rejects(before, after)
    fixes_added, fixes_withdrawn = changed_fixes(before.fixes, after.fixes)
    old, new = before.classes.names, after.classes.names
    common = set(old) & set(new)
    return Difference(
        before=before.name,
        after=after.name,
        classes=by_class(before, after, added, removed, relabelled, moved),
        splits=by_split(before.images, after.images),
        added=added[["path", "label"]],
        removed=removed[["path", "label"]],
        relabelled=relabelled[["path", "label", "path_before", "label_before"]],
        renamed=renamed[["path", "label", "path_before"]],
        moved=None if moved is None else moved[["path", "label", "split_before", "split"]],
        excluded=newly_excluded(after.images, stayed),
        test_changed=_test_changed(stayed, removed),
        classes_added=tuple(name for name in new if name not in common),
        classes_removed=tuple(name for name in old if name not in common),
        classes_reordered=[name for name in old if name in common] != [name for name in new if name in common],
        fixes_added=fixes_added,
        fixes_withdrawn=fixes_withdrawn,
        rejects=(len(before.rejects), len(after.rejects)),
        rejects_added=rejects_added,
        rejects_resolved=rejects_resolved,
        copies=copies,
        conflicts_added=conflicts[0],
        conflicts_resolved=conflicts[1],
        new_copies=None if sets[1] is None else new_copies(after.images, sets[1], pairing.added),
        leaks=find_leaks(after.images, pairing.added) if {"group", "split"} <= set(after.images) else None,
        class_shift=class_shift(before.images["label"], after.images["label"], added["label"]),
        shifts=measured_shifts(before.images, after.images, added),
        scores=paired_scores(before.metrics, after.metrics),
        same_test_images=same_test_images(before.images, after.images),
        remarks=tuple(dict.fromkeys((*before.remarks, *after.remarks))),
    )


def _beside(before: pd.DataFrame, after: pd.DataFrame, rows_before: np.ndarray, rows_after: np.ndarray) -> pd.DataFrame:
    """Paired images, `path`, `label` and where known on both sides `split`, of both sides; the index is the row after."""
    columns = [name for name in ("path", "label", "split") if name in before and name in after]
    stayed = after[columns].iloc[rows_after]
    was = before[columns].iloc[rows_before].add_suffix("_before").set_axis(stayed.index)
    return pd.concat([stayed, was], axis=1)


def _test_changed(stayed: pd.DataFrame, removed: pd.DataFrame) -> pd.DataFrame | None:
    """`Difference.test_changed`, from the images on both sides and those that are gone."""
    if "split" not in stayed or "split" not in removed:
        return None
    tested = stayed[stayed["split_before"] == TEST]
    relabelled = tested[tested["label_before"] != tested["label"]]
    moved = tested[(tested["split"] != TEST) & (tested["label_before"] == tested["label"])]
    gone = removed.loc[removed["split"] == TEST, ["path", "label"]].assign(how="removed")
    parts = [
        gone,
        *(
            part[["path_before", "label_before"]].set_axis(["path", "label"], axis=1).assign(how=how)
            for part, how in (
                (relabelled, "relabelled to " + relabelled["label"]),
                (moved, "moved to " + moved["split"]),
            )
        ),
    ]
    return pd.concat(parts).sort_values("path", ignore_index=True)
