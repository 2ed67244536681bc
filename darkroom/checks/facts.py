"""The numbers that are checked: of the images, of the classes, of the whole set."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from darkroom.checks.distribution import Distribution, counted
from darkroom.checks.range_summary import ENDS, FEW, MEASURED, Extreme, end_name, extreme_rows
from darkroom.checks.summaries import Summaries
from darkroom.duplicates.copies import COPIES, CopiesTable
from darkroom.duplicates.groups import Copies
from darkroom.images.manifest import MANIFEST, read_manifest
from darkroom.images.pillow_decoder import is_grey
from darkroom.model.classes import ClassList
from darkroom.runtime.text import count

if TYPE_CHECKING:  # It imports faiss, and the page needs none.
    from darkroom.duplicates.confirm import NearCopies

# From this ratio of the largest to the smallest class on there is a note, long before the line stops.
UNEQUAL = 3.0
# Files of several pictures that a note lists.
LISTED = 3
# What is checked of each image beside the columns of the manifest.
DERIVED = ("shorter_side", "longer_side", "aspect_ratio", "grey")

Few = tuple[list[Extreme], int]


@dataclass(frozen=True)
class Facts:
    """Where the manifest lacks values, only what can be known without them is filled.

    Attributes:
        images: how many.
        columns: that the table of images has: those of the manifest without gaps, and `DERIVED`.
        classes: the class list.
        counts: images of each class of the list, which may be 0; empty where the manifest lacks values.
        overall: numbers about the whole set, by name; shares are of one.
        rejects: the paths of the files that can't be read, sorted.
        extremes: the extreme few by column and end, as in `darkroom.checks.range_summary.RangeFacts`.
        distribution: gives the values of a column that has extremes.
        missing_columns: columns of the manifest that are not there, or have gaps.
        repeated_ids, unknown_labels: ids that several images have, and labels that are not in the class list; sorted.
        rare: the first of the images that are grey among colour ones, or the other way round, and how many these are.
        several: the paths of the first files that hold several pictures, and how many there are.
        copies: the sets of images that show one picture.
        largest_group: images of the largest group, the user's groups included.
        near: the near-copies as they were found; None where they were not looked for.
    """

    images: int
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    counts: dict[str, int]
    overall: dict[str, float]
    rejects: list[str]
    extremes: dict[str, list[Extreme]]
    distribution: Callable[[str], Distribution]
    missing_columns: tuple[str, ...] = ()
    repeated_ids: tuple[str, ...] = ()
    unknown_labels: tuple[str, ...] = ()
    rare: Few = ([], 0)
    several: tuple[list[str], int] = ([], 0)
    copies: CopiesTable = field(default=CopiesTable(COPIES.empty_table()))
    largest_group: int = 1
    near: "NearCopies | None" = None

    @property
    def conflicts(self) -> list[Copies]:
        """The copies that have several labels."""
        return self.copies.some(np.flatnonzero(self.copies.conflicting))

    @property
    def extra_copies(self) -> int:
        """Images beyond the first of their set."""
        return len(self.copies.table) - len(self.copies)

    @property
    def notes(self) -> dict[str, str]:
        """What is worth a line and breaks no expectation, by topic."""
        if self.missing_columns:
            return {}
        notes = {}
        ratio = self.overall["imbalance_ratio"]
        if ratio >= UNEQUAL:
            notes["classes"] = (
                f"the largest class has {ratio:.1f} times the images of the smallest: `train.balance: weights` counts the "
                "rare ones more in training, `sampler` shows them more often"
            )
        paths, number = self.several
        if number:
            more = f" and {number - LISTED:,} more" if number > LISTED else ""
            notes["several pictures"] = (
                f"{count(number, 'file holds', 'files hold')} several pictures (animations, pages); the first counts: "
                f"{', '.join(paths[:LISTED])}{more}"
            )
        if self.near and self.near.equal_alone:
            notes["near-copies"] = (
                f"{self.near.lookalikes:,} of {self.images:,} images look like another by chance, with too little detail "
                "to call one a copy: as copies count equal files, nearly equal pixels, and pictures full of detail. "
                "`validate.near_copies: true` counts more re-encoded, resized and cropped pictures, `false` equal files "
                "alone; a `group` column keeps images in one split"
            )
        return notes


def count_modes(summaries: Summaries) -> dict[str, int]:
    """How many images are `grey` and in `colour`."""
    counts = {"grey": 0, "colour": 0}
    for each in summaries.facts:
        for _, mode, number in each.kinds or []:
            counts["grey" if is_grey(mode) else "colour"] += number
    return counts


def rarer_mode(modes: dict[str, int]) -> str:
    """`grey` or `colour`, whichever fewer images are."""
    return "grey" if modes["grey"] / (modes["grey"] + modes["colour"]) <= 0.5 else "colour"


def gather_facts(
    summaries: Summaries,
    rejects: list[str],
    classes: ClassList,
    repeated_ids: tuple[str, ...],
    copies: CopiesTable,
    largest_group: int,
    near: "NearCopies | None",
) -> Facts:
    """What the expectations and the summary need, merged from the ranges.

    Args:
        summaries: of a manifest without gaps and with at least one row.
        rejects: the paths of the files that can't be read.
        classes: made at ingest.
        repeated_ids: ids that several images have.
        copies: the sets of copies.
        largest_group: images of the largest group.
        near: the near-copies, of which the numbers are read.
    """
    labels, modes = summaries.labels, count_modes(summaries)
    counts = {name: labels[name] for name in classes.names}
    rarer = rarer_mode(modes)
    grey = modes["grey"] / summaries.images
    overall = _shares(summaries.images, rejects, classes) | {
        "missing_classes": sum(not number for number in counts.values()),
        "smallest_class": min(labels.values()),
        "imbalance_ratio": round(max(labels.values()) / min(labels.values()), 3),
        "mode_mix": min(grey, 1 - grey),
        "copies_share": (len(copies.table) - len(copies)) / summaries.images,
        "conflicts": int(copies.conflicting.sum()),
    }
    several = sum(each.several[0] for each in summaries.facts)
    first = [path for each in summaries.facts for path in each.several[1]][:FEW]
    return Facts(
        summaries.images,
        (*MANIFEST.names, *DERIVED),
        classes.names,
        counts,
        overall,
        sorted(rejects),
        {name: summaries.extremes(name) for name in (end_name(*end) for end in ENDS)},
        summaries.distribution,
        repeated_ids=repeated_ids,
        unknown_labels=tuple(sorted(labels.keys() - set(classes.names))),
        rare=(summaries.extremes(rarer), modes[rarer]),
        several=(first, several),
        copies=copies,
        largest_group=largest_group,
        near=near,
    )


def gather_incomplete_facts(ingest: Path, missing: set[str], rejects: list[str], classes: ClassList) -> Facts:
    """The facts of a manifest that lacks values, of which whole columns are read: the line stops here."""
    columns = tuple(name for name in MANIFEST.names if name not in missing)
    manifest = read_manifest(ingest, list(columns))
    measures = {name: manifest[name].to_numpy().astype(np.float64) for name in MEASURED if name not in missing}
    extremes = {
        end_name(name, is_minimum): [
            Extreme(row, measures[name][row].item(), manifest["path"][row].as_py() if "path" in columns else "")
            for row in extreme_rows(measures[name], is_minimum)
        ]
        for name, is_minimum in ENDS
        if name in measures
    }
    ids, labels = (_texts(manifest, name) for name in ("id", "label"))
    return Facts(
        len(manifest),
        columns,
        classes.names,
        {},
        _shares(len(manifest), rejects, classes),
        sorted(rejects),
        extremes,
        lambda column: Distribution([counted(measures[column])]),
        missing_columns=tuple(name for name in MANIFEST.names if name in missing),
        repeated_ids=tuple(sorted(text for text, number in Counter(ids).items() if number > 1)),
        unknown_labels=tuple(sorted(set(labels) - set(classes.names))),
    )


def _texts(manifest: pa.Table, name: str) -> list[str]:
    return manifest[name].to_pylist() if name in manifest.column_names else []


def _shares(images: int, rejects: list[str], classes: ClassList) -> dict[str, float]:
    return {"classes": len(classes), "rejected_share": len(rejects) / (len(rejects) + images)}
