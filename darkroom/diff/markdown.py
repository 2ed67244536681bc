"""A difference as Markdown for a comment on a pull request: text and numbers, the most important first."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from darkroom.diff.difference import Difference
from darkroom.diff.measures import LARGE
from darkroom.diff.relabels import Relabels, relabel_table
from darkroom.diff.text import (
    changes,
    decision,
    first_sets,
    leak_found,
    leak_sentences,
    most_changed,
    probability,
    score,
    score_change,
    signs,
    tested_on,
)
from darkroom.drawing.markdown import bullets, code, table
from darkroom.runtime.text import count
from darkroom.statistics.shift import Shift

# A comment on GitHub ends at 65,536 characters, some of which are left to the workflow that posts it.
MAX_CHARACTERS = 65_000
# Classes of the table, names of classes in a sentence, images of a list.
TABLE_CLASSES, CLASS_NAMES, LISTED = 50, 20, 5


def to_markdown(difference: Difference, relabels: Sequence[Relabels] = ()) -> str:
    """The whole comment, at most `MAX_CHARACTERS` characters; equal differences give equal text.

    Args:
        difference: of two states.
        relabels: from `darkroom.diff.relabels.relabels`, for the table of all of them.
    """
    parts = [
        f"## Data: {code(difference.before)} → {code(difference.after)}",
        _headline(difference),
        _leak_line(difference),
        _class_list(difference),
        *conflict_lists(difference),
        _count_table(difference),
        _shift_table(difference),
        _class_table(difference),
        relabel_table(relabels),
        _test_list(difference),
        _score_table(difference),
        *change_lists(difference),
        "\n".join(f"> {remark}  " for remark in difference.remarks),
    ]
    text, left_out = "", 0
    for part in filter(None, parts):
        if len(text) + len(part) > MAX_CHARACTERS:
            left_out += 1
        else:
            text += part + "\n\n"
    return text.rstrip() + "\n" + (f"\n{left_out} more parts are too long for a comment.\n" if left_out else "")


def _headline(difference: Difference) -> str:
    before, after = difference.images
    if difference.data_is_equal:
        return f"The data is the same: {count(after, 'image')}, no image, label or split changed."
    numbers = ", ".join(f"{number:,} {what}" for what, number in changes(difference).items())
    return f"**{before:,} → {count(after, 'image')}**: {numbers or 'no image changed'}."


def _leak_line(difference: Difference) -> str:
    finding, meaning = leak_sentences(difference)
    return f"**{finding}** {meaning}" if leak_found(difference) else f"{finding} {meaning}"


def _class_list(difference: Difference) -> str:
    """What changed in the list of classes; empty when nothing did."""
    parts = [
        f"added {_names(difference.classes_added)}" if difference.classes_added else "",
        f"removed {_names(difference.classes_removed)}" if difference.classes_removed else "",
        "the others are in another order" if difference.classes_reordered else "",
    ]
    changed = "; ".join(part for part in parts if part)
    return (
        f"**The class list changed**: {changed}. A model of one list can't be used with the other." if changed else ""
    )


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - CLASS_NAMES:,} more" if len(names) > CLASS_NAMES else ""
    return ", ".join(code(name) for name in names[:CLASS_NAMES]) + more


def _count_table(difference: Difference) -> str:
    rows = [["rejected files", *(f"{number:,}" for number in difference.rejects)]]
    if difference.copies is not None:
        rows.append(["copies beyond the first", *(f"{number:,}" for number in difference.copies)])
    if difference.splits is not None:
        rows += [[f"images in {row[0]}", f"{row[1]:,}", f"{row[2]:,}"] for row in difference.splits.to_numpy()]
    changed = [row for row in rows if row[1] != row[2]]
    return table(["", "Before", "After"], changed) if changed else ""


def _shift_table(difference: Difference) -> str:
    """Nothing where no image came or went, for then nothing can have moved."""
    whole, added = difference.class_shift
    rows = [["class balance", "", "", _shift(whole), _shift(added)]]
    for shift in difference.shifts:
        medians = [f"{value:.{shift.digits}f}" for value in shift.medians]
        rows.append([shift.name, *medians, _shift(shift.whole), _shift(shift.added)])
    if difference.added.empty and difference.removed.empty and difference.relabelled.empty:
        return ""
    note = (
        "Shift: total variation (chi-square) of class balance, Kolmogorov-Smirnov D of the rest, 0 to 1, with its p-value; "
        "bold above 0.1 where p is below 0.001."
    )
    return table(["", "Median before", "After", "Shift", "Added images alone"], rows) + "\n\n" + note


def _shift(shift: Shift | None) -> str:
    if shift is None:
        return ""
    text = f"{shift.distance:.3f} ({probability(shift.probability)})"
    return f"**{text}**" if shift.significant_distance > LARGE else text


def _class_table(difference: Difference) -> str:
    classes = difference.classes
    changed = classes[classes[["added", "removed", "gained", "lost", "moved"]].any(axis=1)]
    if changed.empty:
        return ""
    few = most_changed(changed, TABLE_CLASSES).itertuples(index=False)
    rows = [[code(label), *(f"{number:,}" for number in numbers)] for label, *numbers in few]
    heads = [
        "Class",
        "Before",
        "After",
        "Added",
        "Removed",
        "Relabelled to it",
        "Relabelled from it",
        "Moved",
    ]
    notes = []
    if len(changed) > TABLE_CLASSES:
        notes.append(f"{len(changed) - TABLE_CLASSES:,} more classes changed.")
    if len(classes) > len(changed):
        notes.append(f"{count(len(classes) - len(changed), 'class', 'classes')} did not change.")
    return "\n\n".join([table(heads, rows), " ".join(notes)]).rstrip()


def _test_list(difference: Difference) -> str:
    """Changes of the test split, by which scores of before and after differ although the model may be the same."""
    tested = difference.test_changed
    if tested is None or tested.empty:
        return ""
    texts = [
        f"{code(path)} ({code(label)}): {code(how)}" for path, label, how in tested.head(LISTED).itertuples(index=False)
    ]
    return bullets("Test images relabelled, removed or moved", len(tested), texts)


def _score_table(difference: Difference) -> str:
    if not difference.scores:
        return ""
    rows = []
    for name, sides in difference.scores.items():
        texts = [f"{value} ({interval})" if interval else value for value, interval in map(partial(score, name), sides)]
        rows.append([name.replace("_", " "), *texts, score_change(name, *sides)])
    return "\n\n".join([table(["Test score", "Before", "After", "Change"], rows), tested_on(difference)]).rstrip()


def conflict_lists(difference: Difference) -> list[str]:
    """Sets of copies that contradict each other: leaks, and conflicts added and resolved."""
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
            texts = [
                f" {sign} ".join(f"{code(path)} ({code(of)})" for _, path, of in each)
                + (f" and {sizes[number] - LISTED:,} more" if sizes[number] > LISTED else "")
                for number, (each, sign) in enumerate(
                    zip(first_sets(members, column, LISTED, LISTED), signs(members, LISTED), strict=True)
                )
            ]
            found.append(bullets(title, len(sizes), texts))
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
        ("Excluded from all splits, and not before", found.excluded, plain),
        ("New copies", None if found.new_copies is None else found.new_copies.drop(columns="row"), copied),
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
        bullets(title, len(table), [text(*row) for row in table.head(LISTED).itertuples(index=False)])
        for title, table, text in kinds
        if table is not None and not table.empty
    ]
