"""The page of what changed since the data version last committed."""

from collections.abc import Hashable
from typing import Any

from darkroom.checks.change import Change
from darkroom.checks.charts import histogram
from darkroom.checks.outcomes import Outcome
from darkroom.drawing.pages import render_page

# Classes drawn, those that moved most; the numbers beside them count all.
CLASSES = 40


def change_results(change: Change | str, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `changes.json`; `change` is text where there was nothing to compare with."""
    if isinstance(change, str):
        return {"compared": False, "reason": change, "expectations": []}
    shifts = {"classes": change.class_shift, "sizes": change.size_shift, "brightness": change.brightness_shift}
    return {
        "compared": True,
        "commit": change.commit,
        "images": {"before": len(change.sides[0]), "after": len(change.sides[1])},
        "classes": change.classes.to_dict("records"),
        "shifts": {
            name: {"distance": shift.distance, "probability": shift.probability} for name, shift in shifts.items()
        },
        "expectations": [outcome.to_dict() for outcome in outcomes],
    }


def changes_page(change: Change | str, outcomes: list[Outcome]) -> str:
    """The page `index.html` of the changes; `change` is text where there was nothing to compare with."""
    if isinstance(change, str):
        return render_page("since_commit.html", reason=change, outcomes=[])
    sizes, brightness = (
        dict(zip(("last commit", "now"), sides, strict=True)) for sides in (change.sides, change.brightness)
    )
    charts = [histogram("Sizes", "geometric mean of the sides, in pixels", sizes, ratio=True)]
    if len(change.brightness[0]):
        charts.append(histogram("Brightness", "mean grey value, 0 black, 1 white", brightness))
    shifts = change.shifts
    return render_page(
        "since_commit.html",
        reason="",
        commit=change.commit,
        outcomes=[(outcome, shifts[outcome.check.key]) for outcome in outcomes],
        before=len(change.sides[0]),
        after=len(change.sides[1]),
        classes=_class_shares(change),
        class_count=len(change.classes),
        charts=charts,
    )


def _class_shares(change: Change) -> list[dict[Hashable, Any]]:
    """Of the classes that moved most: `label`, `before`, `after` (images), their shares, and their widths in percent."""
    table = change.classes
    table = table.assign(
        share_before=table["before"] / table["before"].sum(), share_after=table["after"] / table["after"].sum()
    )
    moved = (table["share_after"] - table["share_before"]).abs().sort_values(ascending=False, kind="stable")
    table = table.loc[moved.index[:CLASSES].sort_values()]
    longest = table[["share_before", "share_after"]].to_numpy().max()
    table = table.assign(width_before=table["share_before"] / longest, width_after=table["share_after"] / longest)
    return table.to_dict("records")
