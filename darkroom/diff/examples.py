"""The first few of each kind of change, as lists in Markdown."""

from collections.abc import Callable

import pandas as pd

from darkroom.diff.difference import Difference
from darkroom.diff.text import decision, first_sets, signs
from darkroom.drawing.markdown import bullets, code

LISTED = 5


def conflict_lists(difference: Difference) -> list[str]:
    """Sets of copies that are at odds: leaks, and conflicts that came and went."""
    leaks = None if difference.leaks is None else difference.leaks.images
    kinds = [
        ("Copies, or groups of yours, in several splits", leaks, "split"),
        ("New conflicts: one picture, several labels", difference.conflicts_added, "label"),
        ("Conflicts resolved", difference.conflicts_resolved, "label"),
    ]
    found = []
    for title, members, column in kinds:
        if members is not None and not members.empty:
            sizes = members["set"].value_counts()
            told = [
                f" {sign} ".join(f"{code(path)} ({code(of)})" for _, path, of in each)
                + (f" and {sizes[number] - LISTED:,} more" if sizes[number] > LISTED else "")
                for number, (each, sign) in enumerate(
                    zip(first_sets(members, column, LISTED, LISTED), signs(members, LISTED), strict=True)
                )
            ]
            found.append(bullets(title, len(sizes), told))
    return found


def change_lists(difference: Difference) -> list[str]:
    """What changed, image by image."""

    def plain(path: str, label: str) -> str:
        return f"{code(path)} ({code(label)})"

    def relabelled(path: str, label: str, path_before: str, label_before: str) -> str:
        was = "" if path_before == path else f", was {code(path_before)}"
        return f"{code(path)}: {code(label_before)} → {code(label)}{was}"

    def copied(path: str, label: str, of: str, of_label: str, older: bool) -> str:
        return f"{plain(path, label)} copies {'' if older else 'the new '}{plain(of, of_label)}"

    def fixed(path: str, action: str, label: str, new_label: str, reviewer: str, reason: str) -> str:
        return f"{code(path)}: {code(decision(action, label, new_label))} by {code(reviewer)}, {code(reason)}"

    found = difference
    kinds: list[tuple[str, pd.DataFrame | None, Callable[..., str]]] = [
        ("Label fixes", found.fixes_added, fixed),
        ("Label fixes withdrawn", found.fixes_withdrawn, fixed),
        ("Relabelled", found.relabelled, relabelled),
        (
            "Moved between splits",
            found.moved,
            lambda path, label, was, split: f"{plain(path, label)}: {was} → {split}",
        ),
        ("Copies newly brought in", None if found.new_copies is None else found.new_copies.drop(columns="row"), copied),
        ("Rejected, and not before", found.rejects_added, lambda path, reason: f"{code(path)}: {code(reason)}"),
        (
            "Not rejected any more",
            found.rejects_resolved,
            lambda path, reason, now: f"{code(path)}: {now}; it was: {code(reason)}",
        ),
        ("Removed", found.removed, plain),
        ("Added", found.added, plain),
        ("Renamed", found.renamed, lambda path, label, was: f"{code(was)} → {code(path)}"),
    ]
    return [
        bullets(title, len(table), [tell(*row) for row in table.head(LISTED).itertuples(index=False)])
        for title, table, tell in kinds
        if table is not None and not table.empty
    ]
