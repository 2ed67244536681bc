"""The page of a data set: what is in it, and what of that breaks an expectation."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkroom.expectations.facts import Facts
from darkroom.expectations.outcomes import Outcome
from darkroom.images.duplicates import Copies
from darkroom.reporting.pages import render_page
from darkroom.reporting.samples import SAMPLES, pick_samples, read_samples

# Groups of copies, and rejected files, that the page lists; the tables beside it have them all.
LISTED_GROUPS = 12
LISTED_REJECTS = 100
# With more sizes than this they are drawn in bands.
SIZES = 10


@dataclass(frozen=True)
class Bar:
    """A counted thing, drawn; `share` is of the longest bar, in [0, 1]."""

    name: str
    images: int
    share: float


def dataset_page(facts: Facts, outcomes: list[Outcome], shards: Path) -> str:
    """The page `index.html`.

    Args:
        facts: what was counted.
        outcomes: what came of the expectations.
        shards: the folder of the original bytes; a few of them are read for pictures.
    """
    rejects = facts.rejects.sort_values("path")
    return render_page(
        "validate.html",
        outcomes=outcomes,
        stopped=[outcome for outcome in outcomes if outcome.stops_the_line],
        images=len(facts.images),
        files=len(facts.images) + len(rejects),
        class_count=len(facts.classes),
        reject_count=len(rejects),
        reasons=_bars(rejects["reason"].value_counts().sort_index().items()),
        rejects=rejects.head(LISTED_REJECTS).to_dict("records"),
        contents=None if facts.missing_columns else _contents(facts, shards),
    )


def _contents(facts: Facts, shards: Path) -> dict[str, Any]:
    """What only a whole manifest tells."""
    images, labels = facts.images, list(facts.classes["label"])
    smallest, largest = facts.classes["images"].min(), facts.classes["images"].max()
    conflicts = facts.conflicts[:LISTED_GROUPS]
    copies = tuple(group for group in facts.copies if not group.conflicting)[:LISTED_GROUPS]
    row_of = dict(zip(images["path"], range(len(images)), strict=True))
    picked = pick_samples(images, labels)
    firsts = [row_of[group.paths[0]] for group in (*conflicts, *copies)]
    samples = read_samples(images, picked + firsts, shards)

    def pictured(groups: tuple[Copies, ...]) -> list[dict[str, Any]]:
        return [
            {"sample": samples[row_of[group.paths[0]]], "images": list(zip(group.paths, group.labels, strict=True))}
            for group in groups
        ]

    return {
        "classes": _bars(zip(labels, facts.classes["images"], strict=True)),
        "sizes": _bars(size_counts(images)),
        "kinds": _bars(images.groupby(["format", "mode"]).size().items()),
        "spread": f"{smallest:,} images in each" if smallest == largest else f"{smallest:,} to {largest:,} images",
        "samples": {
            label: [samples[row] for row in picked if samples[row].label == label] for label in labels[:SAMPLES]
        },
        "extra_copies": sum(len(group.paths) - 1 for group in facts.copies),
        "copy_groups": len(facts.copies) - len(facts.conflicts),
        "copies": pictured(copies),
        "conflict_count": len(facts.conflicts),
        "conflicts": pictured(conflicts),
    }


def _bars(counts: Iterable[tuple[Any, Any]]) -> list[Bar]:
    """Bars in the order given; a name of several parts is joined with commas."""
    named = [(", ".join(name) if isinstance(name, tuple) else str(name), int(number)) for name, number in counts]
    longest = max((number for _, number in named), default=0)
    return [Bar(name, number, number / longest if longest else 0.0) for name, number in named]


def size_counts(images: pd.DataFrame) -> list[tuple[str, int]]:
    """Images by size where there are few sizes, by bands of the shorter side where there are many."""
    exact = images.groupby(["width", "height"], as_index=False).size()
    if len(exact) <= SIZES:
        rows = zip(exact["width"], exact["height"], exact["size"], strict=True)
        return [(f"{width:,} × {height:,} px", number) for width, height, number in rows]
    sides = images["shorter_side"].to_numpy()
    edges = np.unique(np.linspace(sides.min(), sides.max() + 1, SIZES + 1).astype(int))
    numbers, _ = np.histogram(sides, edges)
    bands = zip(edges[:-1], edges[1:] - 1, numbers, strict=True)
    return [(f"shorter side {low:,} to {high:,} px", int(number)) for low, high, number in bands]
