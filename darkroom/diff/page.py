"""The page of a difference: what changed in numbers, charts and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkroom.diff.difference import Difference
from darkroom.diff.galleries import Gallery, Shown, galleries
from darkroom.diff.measures import LARGE, DistributionShift, Score
from darkroom.diff.pictures import Picture, Pictures, read_pictures
from darkroom.diff.relabels import Relabels, relabel_matrix
from darkroom.diff.state import State
from darkroom.diff.text import (
    changes,
    decision,
    first_sets,
    leak_found,
    leak_sentences,
    most_changed,
    score,
    score_change,
    signs,
    tested_on,
)
from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Steps
from darkroom.drawing.pages import render_page

# Of classes; of label fixes, rejected, excluded and renamed files, and conflicts resolved; the numbers beside them count all.
CHANGED_CLASSES, LISTED = 30, 50

# Of a histogram: its ticks, both ends included, and its height in units of the drawing.
TICKS, HEIGHT = 5, 236


@dataclass(frozen=True)
class Compared:
    """A score on both sides as text, with its interval, and where to draw it: low, value, high in percent of a scale."""

    name: str
    before: tuple[str, str]
    after: tuple[str, str]
    change: str
    positions: list[tuple[str, float, float, float]]


def changes_page(difference: Difference, before: State, after: State, relabels: Sequence[Relabels] = ()) -> str:
    """One offline page.

    Args:
        difference: of the two states.
        before, after: what was compared; pictures are read from these revisions.
        relabels: from `darkroom.diff.relabels.relabels`.
    """
    shown = galleries(difference, before, after)
    old = read_pictures(before.name, before.images, _rows(shown, old=True))
    new = read_pictures(after.name, after.images, _rows(shown, old=False))
    few = most_changed(difference.classes, CHANGED_CLASSES)
    return render_page(
        "diff.html",
        found=difference,
        images=difference.images,
        changes=changes(difference),
        leak=leak_found(difference),
        leak_sentences=leak_sentences(difference),
        classes=few.to_dict("records"),
        class_count=len(difference.classes),
        largest=max(1, int(few[["before", "after"]].to_numpy().max(initial=0))),
        relabels=relabels[:LISTED],
        relabel_pairs=len(relabels),
        relabel_matrix=relabel_matrix(relabels),
        relabels_predicted=sum(sum(each.predicted or ()) for each in relabels),
        test_changed=[] if difference.test_changed is None else difference.test_changed.head(LISTED).to_dict("records"),
        splits=[] if difference.splits is None else difference.splits.to_dict("records"),
        histograms=[(shift, _histogram(shift)) for shift in difference.shifts],
        scores=[_compared(name, *sides) for name, sides in difference.scores.items()],
        tested_on=tested_on(difference),
        galleries=shown,
        picture_of=lambda each: _picture(each, old, new),
        missing=[(side.name, found) for side, found in ((before, old), (after, new)) if found.missing],
        conflicts_added=difference.conflicts_added["set"].nunique(),
        conflicts_resolved=difference.conflicts_resolved["set"].nunique(),
        resolved=list(
            zip(
                first_sets(difference.conflicts_resolved, "label", LISTED, LISTED),
                signs(difference.conflicts_resolved, LISTED),
                strict=True,
            )
        ),
        fixes=[
            (title, len(table), table.head(LISTED).to_dict("records"))
            for title, table in (("Decided", difference.fixes_added), ("Withdrawn", difference.fixes_withdrawn))
            if len(table)
        ],
        decision=decision,
        rejects_added=difference.rejects_added.head(LISTED).to_dict("records"),
        rejects_resolved=difference.rejects_resolved.head(LISTED).to_dict("records"),
        excluded=[] if difference.excluded is None else difference.excluded.head(LISTED).to_dict("records"),
        renamed=difference.renamed.head(LISTED).to_dict("records"),
        listed=LISTED,
        large=LARGE,
    )


def _rows(shown: list[Gallery], old: bool) -> set[int]:
    return {each.row for gallery in shown for frame in gallery.frames for each in frame if each.old == old}


def _picture(shown: Shown, old: Pictures, new: Pictures) -> Picture | None:
    return (old if shown.old else new).of.get(shown.row)


def _histogram(shift: DistributionShift) -> Chart:
    """Bins of equal width, as the measure is compared: by ratio or by difference."""
    bins = len(shift.before)
    places = np.linspace(0, bins, TICKS).astype(int)
    ticks = [(float(place), f"{shift.edges[place]:,.{shift.digits}f}") for place in places]
    old, new = (f"{median:,.{shift.digits}f}" for median in shift.medians)
    return Chart(
        shift.name[0].upper() + shift.name[1:],
        f"median {old} before, {new} after",
        Axis(shift.name, 0, bins, ticks=ticks),
        round_axis("share of images", 0, float(max(shift.before.max(), shift.after.max())), percent=True),
        [
            Steps(range(bins + 1), shift.before, "cold clear", "before"),
            Steps(range(bins + 1), shift.after, "accent outlined", "after"),
        ],
        HEIGHT,
    )


def _compared(name: str, before: Score | None, after: Score | None) -> Compared:
    sides = [(side, found) for side, found in (("before", before), ("after", after)) if found is not None]
    low, high = min(found.low for _, found in sides), max(found.high for _, found in sides)
    span = max(high - low, 1e-9)

    def position(value: float) -> float:
        # A margin on either side, for the dot.
        return round(4 + 92 * (value - low) / span, 2)

    positions = [(side, position(found.low), position(found.value), position(found.high)) for side, found in sides]
    change = score_change(name, before, after)
    return Compared(name.replace("_", " "), score(name, before), score(name, after), change, positions)
