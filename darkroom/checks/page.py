"""The pages of a data set: what is in it and which expectations it breaks, Great Expectations' account, the last commit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from darkroom.checks.contents import Allowed, find_outliers, histogram, size_counts, size_scatter
from darkroom.checks.distribution import Distribution
from darkroom.checks.samples import OfPath, Row, pick_samples, read_samples
from darkroom.checks.sizes import Sizes
from darkroom.checks.summaries import Summaries, summaries_of
from darkroom.drawing.chart import Chart
from darkroom.drawing.pages import render_page
from darkroom.duplicates.copies import COPIES, CopiesTable
from darkroom.duplicates.groups import Copies
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


def validation_page(*, ingest: Path, validated: Path, cache: Path) -> str:
    """The page of the data set.

    Args:
        ingest: the folder that the ingest stage wrote; some 140 images of its shards are decoded.
        validated: the folder with the results of the validate stage, which may have stopped the line.
        cache: `.darkroom/cache`; it need not exist.
    """
    results = read_input_json(validated / "validation.json", {"expectations": list, "notes": dict})
    summaries = summaries_of(ingest, cache)
    rejects = read_input_table(ingest / "rejects.parquet")
    rejects = rejects.filter(rejects["reviewer"].is_null()).sort_by("path")
    ignored = read_input_table(ingest / "ignored.parquet")
    remarks = read_input_table(ingest / "remarks.parquet")
    reasons = {each["values"]: each["counts"] for each in pc.value_counts(rejects["reason"]).to_pylist()}
    outcomes = results["expectations"]
    contents = None
    if not summaries.gaps:
        copies = CopiesTable(read_input_table(validated / "copies.parquet", COPIES.names))
        contents = _contents(summaries, results, copies, ingest)
    return render_page(
        "validate.html",
        outcomes=outcomes,
        stopped=[outcome for outcome in outcomes if outcome["result"] in ("broken", "could not be checked")],
        warnings=[outcome for outcome in outcomes if outcome["result"] == "warning"],
        notes=results["notes"],
        images=summaries.images,
        files=summaries.images + len(rejects),
        class_count=len(load_classes(ingest / "classes.json")),
        reject_count=len(rejects),
        reasons=_bars(sorted(reasons.items())),
        rejects=rejects.slice(0, LISTED_FILES).to_pylist(),
        remark_count=len(remarks),
        remarks=remarks.slice(0, LISTED_FILES).to_pylist(),
        ignored_count=len(ignored),
        ignored=ignored.slice(0, LISTED_FILES).to_pylist(),
        contents=contents,
    )


def _contents(summaries: Summaries, results: dict[str, Any], copies: CopiesTable, ingest: Path) -> dict[str, Any]:
    """What only a whole manifest can show."""
    counts = {each["label"]: each["images"] for each in results["classes"]}
    allowed, sizes = _allowed(results["expectations"]), summaries.sizes
    conflicts, others = np.flatnonzero(copies.conflicting), np.flatnonzero(~copies.conflicting)
    # Near-copies are for a person to judge, the largest sets first, where a chain may have run away; of equal files one pair
    # is like another.
    others = others[np.lexsort((-copies.lengths[others], copies.exact[others]))]
    shown_conflicts, shown_others = copies.some(conflicts[:LISTED_COPIES]), copies.some(others[:LISTED_COPIES])
    charts, medians = _measures(summaries, sizes, allowed)
    picked, outliers = pick_samples(counts), find_outliers(summaries, medians, allowed)
    samples = read_samples(
        [
            *(one for those in picked.values() for one in those),
            *(Row(row) for each in outliers for row in each.rows),
            *(one for each in (*shown_conflicts, *shown_others) for one in _shown(each)),
        ],
        summaries,
        ingest / "shards",
    )
    smallest, largest = min(counts.values()), max(counts.values())
    kinds = Counter[tuple[str, str]]()
    for each in summaries.facts:
        kinds.update({(file_format, mode): number for file_format, mode, number in each.kinds or []})
    return {
        "classes": _bars(counts.items()),
        "sizes": _bars(size_counts(sizes)),
        "kinds": _bars(sorted(kinds.items())),
        "charts": _size_charts(sizes, allowed) + charts,
        "spread": f"{smallest:,} images in each" if smallest == largest else f"{smallest:,} to {largest:,} images",
        "samples": {label: [samples[one] for one in those] for label, those in picked.items()},
        "outliers": [(each, [samples[Row(row)] for row in each.rows]) for each in outliers],
        "extra_copies": results["copies"]["extra_images"],
        "near_count": results["copies"]["near"],
        "largest_group": results["copies"]["largest_group"],
        "copy_count": len(others),
        "copies": [(each, [samples[one] for one in _shown(each)]) for each in shown_others],
        "conflict_count": len(conflicts),
        "conflicts": [(each, [samples[one] for one in _shown(each)]) for each in shown_conflicts],
    }


def _allowed(expectations: list[dict[str, Any]]) -> dict[str, Allowed]:
    """The least and the most that is allowed, by the column that is checked."""
    allowed: dict[str, Allowed] = {}
    for each in expectations:
        least, most = allowed.get(each["column"], (None, None))
        allowed[each["column"]] = (each.get("at_least", least), each.get("at_most", most))
    return allowed


def _size_charts(sizes: Sizes, allowed: dict[str, Allowed]) -> list[Chart]:
    charts = []
    if len(sizes.images) > 1:
        charts.append(size_scatter(sizes))
    aspect = sizes.distribution(np.divide)
    if aspect.low != aspect.high:
        most = allowed["aspect_ratio"][1]
        limits = (1 / most, most) if most else (None, None)
        charts.append(histogram("Aspect ratio", "width divided by height", {"": aspect}, limits, ratio=True))
    return charts


def _measures(summaries: Summaries, sizes: Sizes, allowed: dict[str, Allowed]) -> tuple[list[Chart], dict[str, float]]:
    """The charts of what is measured, and the median of each column that has outliers; one measure is in memory at a time."""
    charts, medians = [], {}
    for title, x_title, ratio in (
        ("Brightness", "mean grey value, 0 black, 1 white", False),
        ("Contrast", "standard deviation of the grey values", False),
        ("Sharpness", "variance of the Laplacian", True),
    ):
        column = title.lower()
        values = summaries.distribution(column)
        charts.append(histogram(title, x_title, {"": values}, allowed[column], ratio))
        medians[column] = values.median
    for column in ("aspect_ratio", "shorter_side", "longer_side"):
        medians[column] = summaries.distribution(column, sizes).median
    return charts, medians


def _shown(copies: Copies) -> list[OfPath]:
    """The images that are shown of a set."""
    return [OfPath(copies.paths[position]) for position in sorted(copies.distinct_labels_first[:SHOWN_OF_A_SET])]


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
    # Here, since most runs have nothing to compare.
    from darkroom.checks.change import MEASURES

    measures = read_input_table(changes / "measures.parquet", MEASURES.names)
    sizes, brightness = (
        {name: found for name, after in SIDES if (found := _measured(measures, column, after))}
        for column in ("side", "brightness")
    )
    charts = [histogram("Sizes", "geometric mean of the sides, in pixels", sizes, ratio=True)]
    if brightness:
        charts.append(histogram("Brightness", "mean grey value, 0 black, 1 white", brightness))
    shifts = results["shifts"].values()
    return render_page(
        "since_commit.html",
        reason="",
        commit=results["commit"],
        outcomes=list(zip(results["expectations"], shifts, strict=True)),
        before=results["images"]["before"],
        after=results["images"]["after"],
        classes=_class_shares(results["classes"]),
        class_count=len(results["classes"]),
        charts=charts,
    )


def _measured(measures: pa.Table, measure: str, after: bool) -> Distribution | None:
    """The values of a measure on a side; None where it was not measured."""
    rows = measures.filter((pc.field("measure") == measure) & (pc.field("after") == after))
    return Distribution([(rows["value"].to_numpy(), rows["images"].to_numpy())]) if len(rows) else None


def _class_shares(classes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the classes that moved most: `label`, `before`, `after` (images), their shares, and their widths in [0, 1]."""
    counts = np.array([[each["before"], each["after"]] for each in classes])
    shares = counts / counts.sum(axis=0)
    shown = np.sort(np.argsort(-np.abs(shares[:, 1] - shares[:, 0]), kind="stable")[:CHANGED_CLASSES])
    widths = shares / shares[shown].max()
    names = ("share_before", "share_after", "width_before", "width_after")
    return [
        classes[k] | dict(zip(names, [*shares[k].tolist(), *widths[k].tolist()], strict=True)) for k in shown.tolist()
    ]
