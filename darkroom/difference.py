"""What changed between two states of the data: nothing is read here, everything adds up."""

from dataclasses import dataclass

import pandas as pd

from darkroom.images.duplicates import find_copies
from darkroom.revisions import State

# Images are paired in this order: what stayed in its place first, then what kept its label, so that as little as can be is
# called a change.
PAIRINGS = (["sha256", "path"], ["sha256", "label"], ["sha256"])


@dataclass(frozen=True)
class Score:
    """One headline number with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """From one state to another. Every table is sorted by path.

    The images add up: those after are those before, plus added, minus removed; and in each class also plus those
    relabelled into it, minus those relabelled out of it.

    Attributes:
        before, after: the names of the states.
        classes: one row a class of either list: `label`, `before`, `after` (images), `added`, `removed`, `gained`, `lost`
            (through relabelling) and `moved` (between splits).
        added, removed: `path`, `label`.
        relabelled: the same bytes under another label: `path`, `label`, `path_before`, `label_before`.
        renamed: the same bytes and label at another path: `path`, `label`, `path_before`.
        moved: images on both sides whose split changed: `path`, `label`, `split_before`, `split`; None where a split is
            not known on both sides.
        classes_added, classes_removed: names. Their order is the list's.
        classes_reordered: whether the classes on both sides stand in another order, which changes their labels.
        rejects: files that could not be read, before and after.
        rejects_added: `path`, `reason`, of those whose path was not among them before.
        copies: images beyond the first of their group, before and after; None where groups are not known on both sides.
        conflicts_added, conflicts_resolved: pictures under several labels, as `path (label) = path (label)`.
        scores: name → before and after; None where there is none.
        same_test_images: whether the test splits hold the same images with the same labels; None where not known.
        remarks: what is missing or outdated on either side.
    """

    before: str
    after: str
    classes: pd.DataFrame
    added: pd.DataFrame
    removed: pd.DataFrame
    relabelled: pd.DataFrame
    renamed: pd.DataFrame
    moved: pd.DataFrame | None
    classes_added: tuple[str, ...]
    classes_removed: tuple[str, ...]
    classes_reordered: bool
    rejects: tuple[int, int]
    rejects_added: pd.DataFrame
    copies: tuple[int, int] | None
    conflicts_added: tuple[str, ...]
    conflicts_resolved: tuple[str, ...]
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
        changes = (self.added, self.removed, self.relabelled, self.renamed, self.rejects_added)
        return (
            all(table.empty for table in changes)
            and (self.moved is None or self.moved.empty)
            and not (self.classes_added or self.classes_removed or self.classes_reordered)
            and self.rejects[0] == self.rejects[1]
        )


def compare(before: State, after: State) -> Difference:
    """Say what changed; a state compared with itself gives an empty difference.

    Images are paired by their bytes, as multisets: of three copies, two of which stay, one was removed.
    """
    pairs, removed, added = _pair(before.images, after.images)
    relabelled = pairs[pairs["label_before"] != pairs["label"]]
    renamed = pairs[(pairs["label_before"] == pairs["label"]) & (pairs["path_before"] != pairs["path"])]
    moved = None
    if "split" in before.images and "split" in after.images:
        moved = pairs[pairs["split_before"] != pairs["split"]]
    old, new = before.classes.names, after.classes.names
    known_rejects = set(before.rejects["path"])
    copies = None
    conflicts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    if "group" in before.images and "group" in after.images:
        copies = (_extra_copies(before.images), _extra_copies(after.images))
        conflicts = (_conflicts(before.images), _conflicts(after.images))
    return Difference(
        before=before.name,
        after=after.name,
        classes=_by_class(before, after, added, removed, relabelled, moved),
        added=added[["path", "label"]],
        removed=removed[["path", "label"]],
        relabelled=relabelled[["path", "label", "path_before", "label_before"]],
        renamed=renamed[["path", "label", "path_before"]],
        moved=None if moved is None else moved[["path", "label", "split_before", "split"]],
        classes_added=tuple(name for name in new if name not in old),
        classes_removed=tuple(name for name in old if name not in new),
        classes_reordered=[name for name in old if name in new] != [name for name in new if name in old],
        rejects=(len(before.rejects), len(after.rejects)),
        rejects_added=after.rejects[~after.rejects["path"].isin(known_rejects)].sort_values("path"),
        copies=copies,
        conflicts_added=tuple(text for group, text in conflicts[1].items() if group not in conflicts[0]),
        conflicts_resolved=tuple(text for group, text in conflicts[0].items() if group not in conflicts[1]),
        scores=_scores(before.metrics, after.metrics),
        same_test_images=_same_test_images(before.images, after.images),
        remarks=tuple(dict.fromkeys((*before.remarks, *after.remarks))),
    )


def _pair(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Pair images of equal bytes; return the pairs, what is left of `before`, and what is left of `after`.

    The columns of `before` get the suffix `_before` in the pairs; all three tables are sorted by path.
    """
    left = before.sort_values(["path", "label"], ignore_index=True)
    right = after.sort_values(["path", "label"], ignore_index=True)
    found = []
    for keys in PAIRINGS:
        # The n-th of equal images on one side goes with the n-th on the other.
        left = left.assign(nth=left.groupby(keys).cumcount(), row_before=left.index)
        right = right.assign(nth=right.groupby(keys).cumcount(), row=right.index)
        paired = left.merge(right, on=[*keys, "nth"], suffixes=("_before", ""))
        for key in keys:
            paired[f"{key}_before"] = paired[key]
        found.append(paired)
        left, right = left.drop(paired["row_before"]), right.drop(paired["row"])
    pairs = pd.concat(found).sort_values(["path", "path_before"], ignore_index=True)
    return pairs, left, right


def _by_class(
    before: State,
    after: State,
    added: pd.DataFrame,
    removed: pd.DataFrame,
    relabelled: pd.DataFrame,
    moved: pd.DataFrame | None,
) -> pd.DataFrame:
    columns = {
        "before": before.images["label"],
        "after": after.images["label"],
        "added": added["label"],
        "removed": removed["label"],
        "gained": relabelled["label"],
        "lost": relabelled["label_before"],
        "moved": relabelled["label"][:0] if moved is None else moved["label"],
    }
    labels = sorted({*before.classes.names, *after.classes.names, *before.images["label"], *after.images["label"]})
    table = pd.DataFrame({"label": labels})
    for name, values in columns.items():
        table[name] = values.value_counts().reindex(labels, fill_value=0).to_numpy()
    return table


def _extra_copies(images: pd.DataFrame) -> int:
    return int(images["group"].duplicated().sum())


def _conflicts(images: pd.DataFrame) -> dict[str, str]:
    """Group → its images and labels, of the groups under several labels."""
    return {group.group: group.named for group in find_copies(images, images) if group.conflicting}


def _scores(
    before: dict[str, float] | None, after: dict[str, float] | None
) -> dict[str, tuple[Score | None, Score | None]]:
    """The numbers that have an interval beside them: those are the headlines."""

    def score(numbers: dict[str, float] | None, name: str) -> Score | None:
        if numbers is None or f"{name}_low" not in numbers:
            return None
        return Score(numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"])

    names = [key.removesuffix("_low") for key in {**(before or {}), **(after or {})} if key.endswith("_low")]
    return {name: (score(before, name), score(after, name)) for name in names}


def _same_test_images(before: pd.DataFrame, after: pd.DataFrame) -> bool | None:
    if "split" not in before or "split" not in after:
        return None
    keys = ["sha256", "label"]
    tested = [side.loc[side["split"] == "test", keys].sort_values(keys, ignore_index=True) for side in (before, after)]
    return bool(tested[0].equals(tested[1]))
