"""The page of a data set: what is in it, and what of that breaks an expectation."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkroom.checks.charts import histogram, size_scatter
from darkroom.checks.facts import Facts
from darkroom.checks.limits import Limits
from darkroom.checks.outcomes import Outcome
from darkroom.checks.outliers import find_suspects
from darkroom.checks.samples import SAMPLES, Sample, pick_samples, read_samples
from darkroom.checks.text import is_uneven, several, unevenness
from darkroom.drawing.chart import Chart
from darkroom.drawing.pages import render_page
from darkroom.duplicates.groups import Copies

# Sets of copies that the page shows, conflicts and others, pictures of each, rejected files and ignored ones that it
# lists; the tables beside it have them all.
LISTED_COPIES = 10
SHOWN_OF_A_SET = 3
LISTED_FILES = 100
# With more sizes than this they are drawn in bands.
SIZES = 10


@dataclass(frozen=True)
class Bar:
    """A counted thing, drawn; `share` is of the longest bar, in [0, 1]."""

    name: str
    images: int
    share: float


class Contents:
    """What only a whole manifest tells. Made early, since it decodes pictures, and drawn when the outcomes are known."""

    def __init__(self, facts: Facts, limits: Limits, shards: Path, decoder: str) -> None:
        """Args:
        facts: what was counted.
        limits: drawn beside what they limit.
        shards: the folder of the original bytes; some 140 of them are read for pictures.
        decoder: that ingest used.
        """
        images = facts.images
        self._facts, self._limits, self._labels = facts, limits, list(facts.classes["label"])
        self._conflicts = facts.conflicts[:LISTED_COPIES]
        # Near-copies are for a person to judge, the largest sets first, where a chain may have run away; of equal files one
        # pair is like another.
        others = [copies for copies in facts.copies if not copies.conflicting]
        self._others = sorted(others, key=lambda copies: (copies.exact, -len(copies.rows)))[:LISTED_COPIES]
        self._picked = pick_samples(images, self._labels)
        self._suspects = find_suspects(facts, limits)
        rows = self._picked + [row for suspects in self._suspects for row in suspects.rows]
        rows += [row for copies in (*self._conflicts, *self._others) for row in _shown(copies)]
        self._samples = read_samples(images, rows, shards, decoder)

    def drawn(self) -> dict[str, Any]:
        """For the template."""
        facts, images, labels = self._facts, self._facts.images, self._labels
        counts = facts.classes["images"]
        smallest, largest = counts.min(), counts.max()
        return {
            "classes": _bars(zip(labels, counts, strict=True)),
            "uneven": unevenness(facts) if is_uneven(facts) else "",
            "several": several(facts) if facts.several_pictures else "",
            "sizes": _bars(size_counts(images)),
            "kinds": _bars(images.groupby(["format", "mode"]).size().items()),
            "charts": self._charts(),
            "spread": f"{smallest:,} images in each" if smallest == largest else f"{smallest:,} to {largest:,} images",
            "samples": {
                label: [self._samples[row] for row in self._picked if self._samples[row].label == label]
                for label in labels[:SAMPLES]
            },
            "suspects": [
                (suspects, [self._samples[row] for row in suspects.rows])
                for suspects in self._suspects
                if suspects.rows
            ],
            "extra_copies": facts.extra_copies,
            "near_count": sum(not copies.exact for copies in facts.copies),
            "largest_group": facts.largest_group,
            "copy_count": len(facts.copies) - len(facts.conflicts),
            "copies": [self._pictured(copies) for copies in self._others],
            "conflict_count": len(facts.conflicts),
            "conflicts": [self._pictured(copies) for copies in self._conflicts],
        }

    def _charts(self) -> list[Chart]:
        images, limits = self._facts.images, self._limits
        charts = []
        if _varies(images, ["width", "height"]):
            charts.append(size_scatter(images["width"], images["height"]))
        aspect = (images["width"] / images["height"]).to_numpy(np.float64)
        if aspect.min() != aspect.max():
            most = limits.max_aspect_ratio
            charts.append(
                histogram("Aspect ratio", "width divided by height", {"": aspect}, (1 / most, most), ratio=True)
            )
        for title, x_title, allowed, ratio in (
            ("Brightness", "mean grey value, 0 black, 1 white", (limits.min_brightness, limits.max_brightness), False),
            ("Contrast", "deviation of the grey values, of 1", (limits.min_contrast, None), False),
            ("Sharpness", "variance of the Laplacian", (limits.min_sharpness, None), True),
        ):
            values = images[title.lower()].to_numpy(np.float64)
            charts.append(histogram(title, x_title, {"": values}, allowed, ratio))
        return charts

    def _pictured(self, copies: Copies) -> tuple[Copies, list[Sample]]:
        return copies, [self._samples[row] for row in _shown(copies)]


def dataset_page(facts: Facts, outcomes: list[Outcome], contents: Contents | None, ignored: pd.DataFrame) -> str:
    """The page `index.html`.

    Args:
        facts: what was counted.
        outcomes: what came of the expectations.
        contents: None where the manifest lacks values.
        ignored: as ingest wrote it.
    """
    rejects = facts.rejects.sort_values("path")
    return render_page(
        "validate.html",
        outcomes=outcomes,
        stopped=[outcome for outcome in outcomes if outcome.stops_the_line],
        warnings=[outcome for outcome in outcomes if outcome.verdict == "warning"],
        images=len(facts.images),
        files=len(facts.images) + len(rejects),
        class_count=len(facts.classes),
        reject_count=len(rejects),
        reasons=_bars(rejects["reason"].value_counts().sort_index().items()),
        rejects=rejects.head(LISTED_FILES).to_dict("records"),
        ignored_count=len(ignored),
        ignored=ignored.head(LISTED_FILES).to_dict("records"),
        contents=contents.drawn() if contents else None,
    )


def _shown(copies: Copies) -> list[int]:
    """Rows of the pictures that stand for a set."""
    return [copies.rows[position] for position in sorted(copies.telling[:SHOWN_OF_A_SET])]


def _varies(images: pd.DataFrame, columns: list[str]) -> bool:
    return bool((images[columns].nunique() > 1).any())


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
