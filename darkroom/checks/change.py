"""The shift since the data version last committed: of class balance, sizes and brightness."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from darkroom.checks.last_commit import NOTHING, Side
from darkroom.checks.suite import Outcome
from darkroom.statistics.shift import Shift, class_distance, counted_smirnov

# In `changes.json`, in the order of `Change.shifts`.
SHIFTS = ("classes", "sizes", "brightness")
# A row for each distinct value of a measure on a side, for charts: `after` (else before), and how many images have it.
MEASURES = pa.schema([("after", pa.bool_()), ("measure", pa.string()), ("value", pa.float64()), ("images", pa.int64())])


@dataclass(frozen=True)
class Change:
    """From the last commit to now.

    Attributes:
        commit: the short hash of that commit.
        before, after: the two data versions.
        class_shift, size_shift, brightness_shift: how far each moved.
    """

    commit: str
    before: Side
    after: Side
    class_shift: Shift
    size_shift: Shift
    brightness_shift: Shift

    @property
    def shifts(self) -> dict[str, Shift]:
        """By the keys of `expectations_of_change`, in their order."""
        return {
            "class_shift": self.class_shift,
            "size_shift": self.size_shift,
            "brightness_shift": self.brightness_shift,
        }

    @property
    def distances(self) -> dict[str, float]:
        """What is checked."""
        return {name: shift.significant_distance for name, shift in self.shifts.items()}

    @property
    def classes(self) -> list[dict[str, str | int]]:
        """`label`, `before`, `after` (images) of each label, sorted."""
        labels = sorted(self.before.labels.keys() | self.after.labels.keys())
        return [
            {"label": label, "before": self.before.labels[label], "after": self.after.labels[label]} for label in labels
        ]


def measure_change(before: Side, after: Side, commit: str) -> Change:
    """Compare two data versions.

    Class balance by the total variation distance with Pearson's chi-square test of equal shares; sizes and brightness by the
    two-sample Kolmogorov-Smirnov test with its limiting distribution.

    Args:
        before, after: with at least one image.
        commit: the short hash of the commit that `before` is of.
    """
    if not len(before.brightness[0]):
        after = replace(after, brightness=NOTHING)
    labels = sorted(before.labels.keys() | after.labels.keys())
    counts = (np.array([side.labels[label] for label in labels], np.int64) for side in (before, after))
    return Change(
        commit,
        before,
        after,
        class_distance(*counts),
        counted_smirnov(before.sides, after.sides),
        counted_smirnov(before.brightness, after.brightness),
    )


def change_results(change: Change | str, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `changes.json`; `change` is text where there was nothing to compare with."""
    if isinstance(change, str):
        return {"compared": False, "reason": change, "expectations": []}
    return {
        "compared": True,
        "commit": change.commit,
        "images": {"before": change.before.images, "after": change.after.images},
        "classes": change.classes,
        "shifts": {
            name: {"distance": shift.distance, "probability": shift.probability}
            for name, shift in zip(SHIFTS, change.shifts.values(), strict=True)
        },
        "expectations": [outcome.to_dict() for outcome in outcomes],
    }


def change_measures(change: Change | str) -> pa.Table:
    """The table `measures.parquet` beside it, with the columns of `MEASURES`."""
    tables = [MEASURES.empty_table()]
    for after, side in ((False, change.before), (True, change.after)) if isinstance(change, Change) else ():
        for name, (values, images) in (("side", side.sides), ("brightness", side.brightness)):
            tables.append(
                pa.table([pa.repeat(after, len(values)), pa.repeat(name, len(values)), values, images], schema=MEASURES)
            )
    return pa.concat_tables(tables)


def describe_change(change: Change | str) -> str:
    """One line for the terminal."""
    if isinstance(change, str):
        return f"not compared: {change}"
    texts = []
    for key, shift in change.shifts.items():
        note = " (not significant)" if shift.distance and not shift.significant_distance else ""
        texts.append(f"{key.replace('_', ' ')} {shift.distance:.3f}{note}")
    return ", ".join(texts)
