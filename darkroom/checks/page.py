"""The pages of a data set: what is in it and which expectations it breaks, Great Expectations' account, the last commit."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from darkroom.checks.contents import (
    SAMPLES,
    Allowed,
    Sample,
    find_outliers,
    histogram,
    pick_samples,
    read_samples,
    size_counts,
    size_scatter,
)
from darkroom.checks.facts import missing_columns, with_measures
from darkroom.drawing.chart import Chart
from darkroom.drawing.pages import render_page
from darkroom.duplicates.groups import Copies
from darkroom.images.manifest import read_manifest
from darkroom.model.classes import load_classes
from darkroom.runtime.inputs import read_input_json, read_input_table
from darkroom.runtime.text import printable_lines

# Sets of copies that the page shows, conflicts and others, pictures of each, and files that it lists: rejected, decoded with a
# warning, and ignored ones; the tables beside it have them all.
LISTED_COPIES, SHOWN_OF_A_SET, LISTED_FILES = 10, 3, 100
# Classes whose balance is drawn, those that moved most; the numbers beside them count all.
CHANGED_CLASSES = 40
# The names of the two sides in the charts, and their value of `after`.
SIDES = (("last commit", False), ("now", True))


@dataclass(frozen=True)
class Bar:
    """A counted thing, drawn; `share` is of the longest bar, in [0, 1]."""

    name: str
    images: int
    share: float


def validation_page(*, ingest: Path, validated: Path) -> str:
    """The page of the data set.

    Args:
        ingest: the folder that the ingest stage wrote; some 140 images of its shards are decoded.
        validated: the folder with the results of the validate stage, which may have stopped the line.
    """
    results = read_input_json(validated / "validation.json", {"expectations": list, "notes": dict})
    manifest: pd.DataFrame = read_manifest(ingest).to_pandas()
    rejects = read_input_table(ingest / "rejects.parquet").to_pandas()
    rejects = rejects[rejects["reviewer"].isna()].sort_values("path")
    ignored = read_input_table(ingest / "ignored.parquet").to_pandas()
    remarks = read_input_table(ingest / "remarks.parquet").to_pandas()
    outcomes = results["expectations"]
    contents = None
    if not missing_columns(manifest):
        contents = _contents(manifest, results, _read_copies(validated, manifest), ingest)
    return render_page(
        "validate.html",
        outcomes=outcomes,
        stopped=[outcome for outcome in outcomes if outcome["result"] in ("broken", "could not be checked")],
        warnings=[outcome for outcome in outcomes if outcome["result"] == "warning"],
        notes=results["notes"],
        images=len(manifest),
        files=len(manifest) + len(rejects),
        class_count=len(load_classes(ingest / "classes.json")),
        reject_count=len(rejects),
        reasons=_bars(rejects["reason"].value_counts().sort_index().items()),
        rejects=rejects.head(LISTED_FILES).to_dict("records"),
        remark_count=len(remarks),
        remarks=remarks.head(LISTED_FILES).to_dict("records"),
        ignored_count=len(ignored),
        ignored=ignored.head(LISTED_FILES).to_dict("records"),
        contents=contents,
    )


def _read_copies(validated: Path, manifest: pd.DataFrame) -> list[Copies]:
    """The sets of copies that the stage wrote."""
    table = read_input_table(validated / "copies.parquet").to_pandas()
    row_of = dict(zip(manifest["path"], range(len(manifest)), strict=True))
    return [
        Copies(
            tuple(map(row_of.__getitem__, each["path"])), tuple(each["path"]), tuple(each["label"]), each["exact"].all()
        )
        for _, each in table.groupby("set")
    ]


def _contents(manifest: pd.DataFrame, results: dict[str, Any], copies: list[Copies], ingest: Path) -> dict[str, Any]:
    """What only a whole manifest can show."""
    images, labels = with_measures(manifest), [each["label"] for each in results["classes"]]
    counts = [each["images"] for each in results["classes"]]
    allowed = _allowed(results["expectations"])
    conflicts = [each for each in copies if each.conflicting]
    # Near-copies are for a person to judge, the largest sets first, where a chain may have run away; of equal files one pair
    # is like another.
    others = sorted((each for each in copies if not each.conflicting), key=lambda each: (each.exact, -len(each.rows)))
    shown_conflicts, shown_others = conflicts[:LISTED_COPIES], others[:LISTED_COPIES]
    picked, outliers = pick_samples(images, labels), find_outliers(images, allowed)
    rows = picked + [row for each in outliers for row in each.rows]
    rows += [row for each in (*shown_conflicts, *shown_others) for row in _shown(each)]
    samples = read_samples(images, rows, ingest / "shards")

    def pictured(sets: list[Copies]) -> list[tuple[Copies, list[Sample]]]:
        return [(each, [samples[row] for row in _shown(each)]) for each in sets]

    smallest, largest = min(counts), max(counts)
    return {
        "classes": _bars(zip(labels, counts, strict=True)),
        "sizes": _bars(size_counts(images)),
        "kinds": _bars(images.groupby(["format", "mode"]).size().items()),
        "charts": _charts(images, allowed),
        "spread": f"{smallest:,} images in each" if smallest == largest else f"{smallest:,} to {largest:,} images",
        "samples": {
            label: [samples[row] for row in picked if samples[row].label == label] for label in labels[:SAMPLES]
        },
        "outliers": [(each, [samples[row] for row in each.rows]) for each in outliers],
        "extra_copies": results["copies"]["extra_images"],
        "near_count": results["copies"]["near"],
        "largest_group": results["copies"]["largest_group"],
        "copy_count": len(others),
        "copies": pictured(shown_others),
        "conflict_count": len(conflicts),
        "conflicts": pictured(shown_conflicts),
    }


def _allowed(expectations: list[dict[str, Any]]) -> dict[str, Allowed]:
    """The least and the most that is allowed, by the column that is checked."""
    allowed: dict[str, Allowed] = {}
    for each in expectations:
        least, most = allowed.get(each["column"], (None, None))
        allowed[each["column"]] = (each.get("at_least", least), each.get("at_most", most))
    return allowed


def _charts(images: pd.DataFrame, allowed: dict[str, Allowed]) -> list[Chart]:
    charts = []
    if (images[["width", "height"]].nunique() > 1).any():
        charts.append(size_scatter(images["width"], images["height"]))
    aspect = (images["width"] / images["height"]).to_numpy(np.float64)
    if aspect.min() != aspect.max():
        most = allowed["aspect_ratio"][1]
        limits = (1 / most, most) if most else (None, None)
        charts.append(histogram("Aspect ratio", "width divided by height", {"": aspect}, limits, ratio=True))
    for title, x_title, ratio in (
        ("Brightness", "mean grey value, 0 black, 1 white", False),
        ("Contrast", "standard deviation of the grey values", False),
        ("Sharpness", "variance of the Laplacian", True),
    ):
        column = title.lower()
        charts.append(histogram(title, x_title, {"": images[column].to_numpy(np.float64)}, allowed[column], ratio))
    return charts


def _shown(copies: Copies) -> list[int]:
    """Rows of the pictures that are shown of a set."""
    return [copies.rows[position] for position in sorted(copies.distinct_labels_first[:SHOWN_OF_A_SET])]


def _bars(counts: Iterable[tuple[Any, Any]]) -> list[Bar]:
    """Bars in the order given; a name of several parts is joined with commas."""
    rows = [(", ".join(name) if isinstance(name, tuple) else str(name), int(number)) for name, number in counts]
    longest = max((number for _, number in rows), default=0)
    return [Bar(name, number, number / longest if longest else 0.0) for name, number in rows]


def great_expectations_page(*, validated: Path) -> str:
    """Great Expectations' own account of the checks, as a page of ours."""
    account = read_input_json(validated / "great_expectations.json", {"success": bool, "sections": str})
    return render_page(
        "gx_account.html", success=account["success"], sections=Markup(printable_lines(account["sections"]))
    )


def changes_page(*, changes: Path) -> str:
    """The page of the shift since the last commit.

    Args:
        changes: the folder of `changes.json` and `measures.parquet`.
    """
    results = read_input_json(changes / "changes.json", {"compared": bool})
    if not results["compared"]:
        return render_page("since_commit.html", reason=results["reason"], outcomes=[])
    measures = read_input_table(changes / "measures.parquet").to_pandas()
    sizes, brightness = (
        {name: measures.loc[measures["after"] == after, column].to_numpy() for name, after in SIDES}
        for column in ("side", "brightness")
    )
    charts = [histogram("Sizes", "geometric mean of the sides, in pixels", sizes, ratio=True)]
    if not np.isnan(brightness["last commit"]).any():
        charts.append(histogram("Brightness", "mean grey value, 0 black, 1 white", brightness))
    shifts = results["shifts"].values()
    return render_page(
        "since_commit.html",
        reason="",
        commit=results["commit"],
        outcomes=list(zip(results["expectations"], shifts, strict=True)),
        before=results["images"]["before"],
        after=results["images"]["after"],
        classes=_class_shares(pd.DataFrame(results["classes"])),
        class_count=len(results["classes"]),
        charts=charts,
    )


def _class_shares(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Of the classes that moved most: `label`, `before`, `after` (images), their shares, and their widths in [0, 1]."""
    table = table.assign(
        share_before=table["before"] / table["before"].sum(), share_after=table["after"] / table["after"].sum()
    )
    moved = (table["share_after"] - table["share_before"]).abs().sort_values(ascending=False, kind="stable")
    table = table.loc[moved.index[:CHANGED_CLASSES].sort_values()]
    longest = table[["share_before", "share_after"]].to_numpy().max()
    table = table.assign(width_before=table["share_before"] / longest, width_after=table["share_after"] / longest)
    return table.to_dict("records")
