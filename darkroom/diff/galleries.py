"""Which images a page shows of each kind of change, outliers first, and the text beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.diff.difference import Difference
from darkroom.diff.measures import MEASURES
from darkroom.diff.state import State
from darkroom.diff.text import first_sets
from darkroom.runtime.arrays import Float64s, Int64s

# Of each kind; of sets of copies, how many, and how many images of each.
SHOWN = 24
SETS, OF_A_SET = 12, 4

# A deviation counts in units of at least this, so that one pixel more is no hundred deviations where all images have the same
# size; of ratios it is 1%.
LEAST_DEVIATION = 0.01


@dataclass(frozen=True)
class Shown:
    """One image.

    Attributes:
        old: whether it is one of the state before; otherwise it is one of the state after.
        row: in that state's `images`.
        path: of the image.
        tag: what matters most about it: its label, its split, or how they changed.
        note: more about it; may be empty.
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


class OutlierScore:
    """How far an image is from the median of the old data, in robust deviations: the largest over the measures.

    A robust deviation is 1.4826 times the median distance from the median (MAD), the standard deviation where values are
    normal; a few outliers among the old images do not stretch it (Hampel 1974). Sizes and aspects are compared by ratio, and
    so is sharpness plus 1, as it can be 0.
    """

    def __init__(self, old: pd.DataFrame) -> None:
        """Args:
        old: `width`, `height`, `brightness`, `contrast`, `sharpness` of the data to compare with.
        """
        self._scales: list[tuple[float, float]] = []
        for measure in MEASURES:
            values = measure.scaled(old)
            values = values[~np.isnan(values)]
            median = float(np.median(values)) if len(values) else np.nan
            deviation = 1.4826 * float(np.median(np.abs(values - median))) if len(values) else np.nan
            self._scales.append((median, max(deviation, LEAST_DEVIATION)))

    def scores(self, images: pd.DataFrame) -> Float64s:
        """Float64 [N]; 0 where nothing was measured."""
        scores: Float64s = np.abs(self._distances(images)).max(axis=1)
        return scores

    def reasons(self, images: pd.DataFrame) -> list[str]:
        """For each image its largest deviation, as `contrast 0.02, 3.1 deviations below`; empty where it has none."""
        distances = self._distances(images)
        worst = np.abs(distances).argmax(axis=1)
        texts = []
        for row, index in enumerate(worst.tolist()):
            measure, distance = MEASURES[index], distances[row, index]
            value = f"{measure.name} {measure.of(images.iloc[[row]]).iloc[0]:.{measure.digits}f}"
            side = "above" if distance > 0 else "below"
            texts.append(f"{value}, {abs(distance):.1f} deviations {side}" if distance else "")
        return texts

    def _distances(self, images: pd.DataFrame) -> Float64s:
        """Signed, [N, measures]."""
        columns = [
            (measure.scaled(images) - median) / deviation
            for measure, (median, deviation) in zip(MEASURES, self._scales, strict=True)
        ]
        distances: Float64s = np.nan_to_num(np.stack(columns, axis=1))
        return distances


def galleries(difference: Difference, before: State, after: State) -> list[Gallery]:
    """A gallery for each kind of change that there is, the kinds that most need a look first."""
    old, new = before.images, after.images
    outliers = OutlierScore(old if len(old) else new)
    leaks = None if difference.leaks is None else difference.leaks.images
    fixes = after.fixes[after.fixes["action"] != "keep"]
    decisions = dict(zip(fixes["path"], fixes["reviewer"] + ": " + fixes["reason"], strict=True))
    found = [
        _sets("Leaks", "Copies, or groups of yours, in several splits.", leaks, "split"),
        _sets(
            "New conflicts",
            "One picture under several labels, at most one of which can be correct.",
            difference.conflicts_added,
            "label",
        ),
        _copies(difference, new),
        _relabelled(difference, new, outliers, decisions),
        _moved(difference, new, outliers),
        _plain("Added", difference.added, new, outliers, {}, is_old=False),
        _plain("Removed", difference.removed, old, outliers, decisions, is_old=True),
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
    return Gallery("New copies", about, len(copies), frames)


def _relabelled(
    difference: Difference, images: pd.DataFrame, outliers: OutlierScore, decisions: dict[str, str]
) -> Gallery | None:
    table = difference.relabelled
    if table.empty:
        return None
    conflicting = np.isin(table.index, difference.conflicts_added.index)
    kind = table.groupby(["label_before", "label"])["path"].transform("size").to_numpy()
    order = np.lexsort((-outliers.scores(images.iloc[table.index]), kind, ~conflicting))[:SHOWN]
    frames = [
        [Shown(False, row, path, f"{was} → {label}", decisions.get(path, ""))]
        for row, path, label, _, was in table.iloc[order].itertuples()
    ]
    about = "Those in a new conflict come first, then those whose change of label is rare, then outliers."
    return Gallery("Relabelled", about, len(table), frames)


def _moved(difference: Difference, images: pd.DataFrame, outliers: OutlierScore) -> Gallery | None:
    table = difference.moved
    if table is None or table.empty:
        return None
    about_test = ((table["split_before"] == "test") | (table["split"] == "test")).to_numpy()
    order = np.lexsort((-outliers.scores(images.iloc[table.index]), ~about_test))[:SHOWN]
    frames = [
        [Shown(False, row, path, f"{was} → {split}", label)]
        for row, path, label, was, split in table.iloc[order].itertuples()
    ]
    about = "Those into or out of the test split come first, then outliers."
    return Gallery("Moved between splits", about, len(table), frames)


def _plain(
    title: str,
    table: pd.DataFrame,
    images: pd.DataFrame,
    outliers: OutlierScore,
    decisions: dict[str, str],
    is_old: bool,
) -> Gallery | None:
    if table.empty:
        return None
    rows: Int64s = table.index.to_numpy()
    chosen = table.iloc[np.argsort(-outliers.scores(images.iloc[rows]), kind="stable")[:SHOWN]]
    reasons = outliers.reasons(images.iloc[chosen.index])
    frames = [
        [Shown(is_old, row, path, label, decisions.get(path, why))]
        for (row, path, label), why in zip(chosen.itertuples(), reasons, strict=True)
    ]
    return Gallery(title, "Outliers come first.", len(table), frames)
