"""What came of the validation: `validation.json`, the table of copies, and the lines on the terminal."""

from collections import Counter

import numpy as np

from darkroom.checks.change import Change, describe_change
from darkroom.checks.facts import Facts
from darkroom.checks.suite import Outcome
from darkroom.runtime.text import count, one_a_line

# Conflicts listed on the terminal; `validation.json` has all.
LISTED = 10


def results_of(facts: Facts, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `validation.json`, which has every conflict."""
    return {
        "stops_the_line": any(outcome.stops_the_line for outcome in outcomes),
        "images": facts.images,
        "rejects": len(facts.rejects),
        "classes": [
            {"label": name} | ({"images": facts.counts[name]} if facts.counts else {}) for name in facts.classes
        ],
        "expectations": [outcome.to_dict() for outcome in outcomes],
        "copies": {
            "groups": len(facts.copies),
            "extra_images": facts.extra_copies,
            "near": _near(facts),
            "largest_group": facts.largest_group,
        },
        "conflicts": [
            {"paths": list(copies.paths), "labels": list(copies.labels), "exact": copies.exact}
            for copies in facts.conflicts
        ],
        "notes": facts.notes,
    }


def _near(facts: Facts) -> int:
    """How many sets have images whose bytes differ."""
    return int((~facts.copies.exact).sum())


def summary_of(facts: Facts, outcomes: list[Outcome]) -> str:
    """A few aligned lines for the terminal."""
    rows = [
        ("expectations", _count_results(outcomes)),
        ("rejected files", f"{len(facts.rejects):,} of {facts.images + len(facts.rejects):,}"),
    ]
    conflicting = np.flatnonzero(facts.copies.conflicting)
    if not facts.missing_columns:
        near, conflicts = _near(facts), len(conflicting)
        pictures = count(len(facts.copies), "picture")
        copies = f"{facts.extra_copies:,} beyond the first of {pictures}, {near:,} of them near-copies"
        if near:
            copies += " (validate.near_copies: auto, true, or false for equal files alone)"
        rows += [
            ("copies", copies if len(facts.copies) else "none"),
            ("largest group", f"{count(facts.largest_group, 'image')}, all in one split"),
            ("conflicts", f"{conflicts:,} under more than one label" if conflicts else "none"),
        ]
    lines = [f"validate: {count(facts.images, 'image')}, {count(len(facts.classes), 'class', 'classes')}"]
    lines += [f"  {name:<14}  {text}" for name, text in rows]
    lines += [f"    warning: {copies.text}" for copies in facts.copies.some(conflicting[:LISTED])]
    if len(conflicting) > LISTED:
        lines.append(f"    … and {len(conflicting) - LISTED:,} more in validation.json")
    lines += _warnings([outcome for outcome in outcomes if outcome.check.key != "conflicts"])
    lines += [f"  note: {text}" for text in facts.notes.values()]
    return one_a_line(lines)


def summary_of_change(change: Change | str, outcomes: list[Outcome]) -> str:
    """The same for the shift since the last commit, whose expectations are counted on a page of their own."""
    counted = f": {_count_results(outcomes)}" if outcomes else ""
    return one_a_line([f"  last commit     {describe_change(change)}{counted}", *_warnings(outcomes)])


def _count_results(outcomes: list[Outcome]) -> str:
    """`12 met, 2 warnings`."""
    results = Counter(outcome.result for outcome in outcomes)
    return ", ".join(
        f"{number} {result}{'s' * (result == 'warning' and number > 1)}" for result, number in results.items()
    )


def _warnings(outcomes: list[Outcome]) -> list[str]:
    return [
        f"  warning: {outcome.check.name}: {outcome.text}{examples_of(outcome)}"
        for outcome in outcomes
        if outcome.result == "warning"
    ]


def examples_of(outcome: Outcome) -> str:
    return f" ({'; '.join(outcome.examples)})" if outcome.examples else ""
