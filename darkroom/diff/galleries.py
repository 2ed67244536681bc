"""Which images a page shows of each kind of change, and what it says beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.diff.difference import Difference
from darkroom.diff.outliers import Strangeness
from darkroom.diff.pairing import Rows
from darkroom.diff.state import State
from darkroom.diff.text import first_sets

# Of each kind; of sets of copies, how many, and how many images of each.
SHOWN = 24
SETS, OF_A_SET = 12, 4


@dataclass(frozen=True)
class Shown:
    """One image.

    Attributes:
        old: whether it is one of the state before; otherwise it is one of the state after.
        row: in that state's `images`.
        path: of the image.
        tag: what matters most about it: its label, its split, or how they changed.
        note: what else is to be said; may be empty.
    """

    old: bool
    row: int
    path: str
    tag: str
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """One kind of change: `total` of them, and the first few as frames of one or more images side by side."""

    title: str
    about: str
    total: int
    frames: list[list[Shown]]


def galleries(difference: Difference, before: State, after: State) -> list[Gallery]:
    """A gallery for each kind of change that there is, the kinds that most need a look first."""
    old, new = before.images, after.images
    strangeness = Strangeness(old if len(old) else new)
    leaks = None if difference.leaks is None else difference.leaks.images
    fixes = after.fixes[after.fixes["action"] != "keep"]
    said = dict(zip(fixes["path"], fixes["reviewer"] + ": " + fixes["reason"], strict=True))
    found = [
        _sets("Leaks", "Copies, or groups of yours, in several splits.", leaks, "split"),
        _sets(
            "New conflicts",
            "One picture under several labels, at most one of which can be right.",
            difference.conflicts_added,
            "label",
        ),
        _copies(difference, new),
        _relabelled(difference, new, strangeness, said),
        _moved(difference, new, strangeness),
        _plain("Added", difference.added, new, strangeness, {}, is_old=False),
        _plain("Removed", difference.removed, old, strangeness, said, is_old=True),
    ]
    return [gallery for gallery in found if gallery is not None]


def _sets(title: str, about: str, members: pd.DataFrame | None, column: str) -> Gallery | None:
    if members is None or members.empty:
        return None
    frames = [
        [Shown(False, row, path, of) for row, path, of in each] for each in first_sets(members, column, SETS, OF_A_SET)
    ]
    return Gallery(title, f"{about} In the order of their paths.", members["set"].nunique(), frames)


def _copies(difference: Difference, images: pd.DataFrame) -> Gallery | None:
    copies = difference.new_copies
    if copies is None or copies.empty:
        return None
    other_label = (copies["label"] != copies["of_label"]).to_numpy()
    of_test = np.zeros(len(copies), dtype=bool)
    if "split" in images:
        of_test = (images["split"].iloc[copies["row"]] == "test").to_numpy()
    few = copies.iloc[np.lexsort((~of_test, ~other_label))[:SETS]]
    splits = images["split"] if "split" in images else pd.Series("", index=images.index)

    def shown(row: int, path: str, label: str, note: str) -> Shown:
        return Shown(False, row, path, label, f"{note}, {splits.iloc[row]}" if splits.iloc[row] else note)

    frames = [
        [shown(row, path, label, "new"), shown(of_row, of, of_label, "older" if older else "new too")]
        for row, path, label, of, of_label, older, of_row in few.itertuples()
    ]
    about = "An added image, and the first that it copies. Those under another label come first, then copies of test images."
    return Gallery("Copies newly brought in", about, len(copies), frames)


def _relabelled(
    difference: Difference, images: pd.DataFrame, strangeness: Strangeness, said: dict[str, str]
) -> Gallery | None:
    table = difference.relabelled
    if table.empty:
        return None
    conflicting = np.isin(table.index, difference.conflicts_added.index)
    kind = table.groupby(["label_before", "label"])["path"].transform("size").to_numpy()
    order = np.lexsort((-strangeness.scores(images.iloc[table.index]), kind, ~conflicting))[:SHOWN]
    frames = [
        [Shown(False, row, path, f"{was} → {label}", said.get(path, ""))]
        for row, path, label, _, was in table.iloc[order].itertuples()
    ]
    about = "Those in a new conflict come first, then those whose change of label is rare, then the strangest."
    return Gallery("Relabelled", about, len(table), frames)


def _moved(difference: Difference, images: pd.DataFrame, strangeness: Strangeness) -> Gallery | None:
    table = difference.moved
    if table is None or table.empty:
        return None
    about_test = ((table["split_before"] == "test") | (table["split"] == "test")).to_numpy()
    order = np.lexsort((-strangeness.scores(images.iloc[table.index]), ~about_test))[:SHOWN]
    frames = [
        [Shown(False, row, path, f"{was} → {split}", label)]
        for row, path, label, was, split in table.iloc[order].itertuples()
    ]
    about = "Those into or out of the test split come first, then the strangest."
    return Gallery("Moved between splits", about, len(table), frames)


def _plain(
    title: str, table: pd.DataFrame, images: pd.DataFrame, strangeness: Strangeness, said: dict[str, str], is_old: bool
) -> Gallery | None:
    if table.empty:
        return None
    rows: Rows = table.index.to_numpy()
    chosen = table.iloc[np.argsort(-strangeness.scores(images.iloc[rows]), kind="stable")[:SHOWN]]
    words = strangeness.words(images.iloc[chosen.index])
    frames = [
        [Shown(is_old, row, path, label, said.get(path, why))]
        for (row, path, label), why in zip(chosen.itertuples(), words, strict=True)
    ]
    return Gallery(title, "The strangest come first.", len(table), frames)
