"""The tables that Great Expectations is given."""

from pathlib import Path

from darkroom.checks.facts import Facts
from darkroom.checks.range_summary import end_name
from darkroom.checks.suite import Check, Table, Tables
from darkroom.images.manifest import read_manifest


def tables_to_check(checks: list[Check], facts: Facts, ingest: Path) -> Tables:
    """`images` and `overall`; the former has all columns, with values only where a check needs them.

    Where the manifest is as it must be, checks look at the least and the most of a column: two rows that have these are enough.
    Else it has the ids and labels of all images, so that the package's own account says what is wrong with them.

    Args:
        checks: of the data.
        facts: that they are about.
        ingest: the folder that the ingest stage wrote.
    """
    needed = list(dict.fromkeys(check.settings["column"] for check in checks if "column" in check.settings))
    needed = [name for name in needed if name in facts.columns]
    count = 2
    texts: Table = {"id": ["0", "1"], "label": [facts.classes[0]] * count}
    if any(check.broken_by for check in checks if check.key == "manifest"):
        count = facts.images
        texts = read_manifest(ingest, [name for name in ("id", "label") if name in needed]).to_pydict()
    table: Table = {}
    for name in needed:
        ends = [facts.extremes[end][0].value for end in _ends(name) if end in facts.extremes]
        table[name] = texts[name] if name in texts else [ends[-1], *[ends[0]] * (count - 1)]
    others = [name for name in facts.columns if name not in needed]
    images = table | {name: [False] * count for name in others}
    return {"images": images, "overall": {name: [value] for name, value in facts.overall.items()}}


def _ends(column: str) -> list[str]:
    return [end_name(column, is_minimum) for is_minimum in (True, False)]
