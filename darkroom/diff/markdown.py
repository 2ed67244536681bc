"""A difference as Markdown for a comment on a pull request: words and numbers, the most important first."""

from collections.abc import Sequence
from functools import partial

from darkroom.diff.difference import Difference
from darkroom.diff.examples import change_lists, conflict_lists
from darkroom.diff.shifts import LARGE
from darkroom.diff.text import (
    changes,
    leak_found,
    leak_sentences,
    many,
    most_changed,
    probability,
    score,
    score_change,
    tested_on,
)
from darkroom.drawing.markdown import code, table
from darkroom.statistics.shift import Shift

# A comment on GitHub ends at 65,536 characters, some of which are left to what posts it; a reader's patience ends earlier.
LIMIT = 65_000
CLASSES, NAMED = 50, 20


def to_markdown(difference: Difference) -> str:
    """The whole comment, at most `LIMIT` characters; equal differences give equal text."""
    parts = [
        f"## Data: {code(difference.before)} → {code(difference.after)}",
        _headline(difference),
        _leak_line(difference),
        _class_list(difference),
        *conflict_lists(difference),
        _care_table(difference),
        _shift_table(difference),
        _class_table(difference),
        _score_table(difference),
        *change_lists(difference),
        "\n".join(f"> {remark}  " for remark in difference.remarks),
    ]
    text, left_out = "", 0
    for part in filter(None, parts):
        if len(text) + len(part) > LIMIT:
            left_out += 1
        else:
            text += part + "\n\n"
    return text.rstrip() + "\n" + (f"\n{left_out} more parts are too long for a comment.\n" if left_out else "")


def _headline(difference: Difference) -> str:
    before, after = difference.images
    if difference.data_is_equal:
        return f"The data is the same: {many(after, 'image')}, no image, label or split changed."
    told = ", ".join(f"{number:,} {what}" for what, number in changes(difference).items())
    return f"**{before:,} → {many(after, 'image')}**: {told or 'no image changed'}."


def _leak_line(difference: Difference) -> str:
    finding, meaning = leak_sentences(difference)
    return f"**{finding}** {meaning}" if leak_found(difference) else f"{finding} {meaning}"


def _class_list(difference: Difference) -> str:
    """What changed in the list of classes; empty when nothing did."""
    parts = [
        f"added {_named(difference.classes_added)}" if difference.classes_added else "",
        f"removed {_named(difference.classes_removed)}" if difference.classes_removed else "",
        "the others stand in another order" if difference.classes_reordered else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"**The class list changed**: {told}. A model of the one list can't be used with the other." if told else ""


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(code(name) for name in names[:NAMED]) + more


def _care_table(difference: Difference) -> str:
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
    rows = [["class shares", "", "", _shift(whole), _shift(added)]]
    for shift in difference.shifts:
        medians = [f"{value:.{shift.digits}f}" for value in shift.medians]
        rows.append([shift.name, *medians, _shift(shift.whole), _shift(shift.added)])
    if difference.added.empty and difference.removed.empty and difference.relabelled.empty:
        return ""
    note = (
        "Shift: total variation (chi-square) of class shares, Kolmogorov-Smirnov D of the rest, from 0 to 1, with its p-value; "
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
    few = most_changed(changed, CLASSES).itertuples(index=False)
    rows = [[code(label), *(f"{number:,}" for number in numbers)] for label, *numbers in few]
    heads = ["Class", "Before", "After", "Added", "Removed", "Relabelled to it", "Relabelled from it", "Moved"]
    notes = []
    if len(changed) > CLASSES:
        notes.append(f"{len(changed) - CLASSES:,} more classes changed.")
    if len(classes) > len(changed):
        notes.append(f"{many(len(classes) - len(changed), 'class', 'classes')} did not change.")
    return "\n\n".join([table(heads, rows), " ".join(notes)]).rstrip()


def _score_table(difference: Difference) -> str:
    if not difference.scores:
        return ""
    rows = []
    for name, sides in difference.scores.items():
        told = [f"{value} ({interval})" if interval else value for value, interval in map(partial(score, name), sides)]
        rows.append([name.replace("_", " "), *told, score_change(name, *sides)])
    return "\n\n".join([table(["Test score", "Before", "After", "Change"], rows), tested_on(difference)]).rstrip()
