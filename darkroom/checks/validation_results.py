"""What came of the validation: `validation.json`, the table of copies, and the lines on the terminal."""

from collections import Counter

import pyarrow as pa

from darkroom.checks.change import Change, describe_change
from darkroom.checks.facts import Facts
from darkroom.checks.suite import Outcome
from darkroom.runtime.text import count, one_a_line

COPIES = pa.schema([("set", pa.int64()), ("path", pa.string()), ("label", pa.string()), ("exact", pa.bool_())])
# Conflicts listed on the terminal; `validation.json` has all.
LISTED = 10


def results_of(facts: Facts, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `validation.json`, which has every conflict."""
    return {
        "stops_the_line": any(outcome.stops_the_line for outcome in outcomes),
        "images": len(facts.images),
        "rejects": len(facts.rejects),
        "classes": facts.classes.to_dict("records"),
        "expectations": [outcome.to_dict() for outcome in outcomes],
        "copies": {
            "groups": len(facts.copies),
            "extra_images": facts.extra_copies,
            "near": sum(not copies.exact for copies in facts.copies),
            "largest_group": facts.largest_group,
        },
        "conflicts": [
            {"paths": list(copies.paths), "labels": list(copies.labels), "exact": copies.exact}
            for copies in facts.conflicts
        ],
        "notes": facts.notes,
    }


def copies_table(facts: Facts) -> pa.Table:
    """The sets of copies, for the page: a row for each image of each."""
    rows = [
        (number, path, label, copies.exact)
        for number, copies in enumerate(facts.copies)
        for path, label in zip(copies.paths, copies.labels, strict=True)
    ]
    return pa.Table.from_pylist([dict(zip(COPIES.names, row, strict=True)) for row in rows], COPIES)


def summary_of(facts: Facts, outcomes: list[Outcome]) -> str:
    """A few aligned lines for the terminal."""
    rows = [
        ("expectations", _count_results(outcomes)),
        ("rejected files", f"{len(facts.rejects):,} of {len(facts.images) + len(facts.rejects):,}"),
    ]
    if not facts.missing_columns:
        near = sum(not copies.exact for copies in facts.copies)
        pictures = count(len(facts.copies), "picture")
        copies = f"{facts.extra_copies:,} beyond the first of {pictures}, {near:,} of them near-copies"
        if near:
            copies += " (validate.near_copies: auto, true, or false for equal files alone)"
        rows += [
            ("copies", copies if facts.copies else "none"),
            ("largest group", f"{count(facts.largest_group, 'image')}, all in one split"),
            ("conflicts", f"{len(facts.conflicts):,} under more than one label" if facts.conflicts else "none"),
        ]
    lines = [f"validate: {count(len(facts.images), 'image')}, {count(len(facts.classes), 'class', 'classes')}"]
    lines += [f"  {name:<14}  {text}" for name, text in rows]
    lines += [f"    warning: {copies.text}" for copies in facts.conflicts[:LISTED]]
    if len(facts.conflicts) > LISTED:
        lines.append(f"    … and {len(facts.conflicts) - LISTED:,} more in validation.json")
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
