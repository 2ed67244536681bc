"""Two versions of the data side by side, as Markdown for a pull request: `python -m darkroom.diff REV_A REV_B`.

A revision is anything that git takes for one, or `workspace`. Only small tables are read, from DVC's cache or remote.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from darkroom.difference import Difference, Score, compare
from darkroom.revisions import State, read_state
from darkroom.stage import user_errors

__all__ = ["Difference", "State", "compare", "main", "read_state", "to_markdown"]

# A comment on GitHub ends at 65,536 characters, and a reader's patience earlier.
LISTED = 5
CLASSES = 50


def to_markdown(difference: Difference) -> str:
    """The whole comment; equal differences give equal text."""
    parts = [
        f"## Data: {_code(difference.before)} → {_code(difference.after)}",
        _headline(difference),
        _class_list(difference),
        _class_table(difference),
        *_lists(difference),
        _care_table(difference),
        _score_table(difference),
        "\n".join(f"> {remark}  " for remark in difference.remarks),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(difference: Difference) -> str:
    before, after = difference.images
    if difference.data_is_equal:
        return f"The data is the same: {_many(after, 'image')}, no image, label or split changed."
    changes = {
        "added": len(difference.added),
        "removed": len(difference.removed),
        "relabelled": len(difference.relabelled),
        "renamed": len(difference.renamed),
        "moved between splits": 0 if difference.moved is None else len(difference.moved),
    }
    told = ", ".join(f"{number:,} {what}" for what, number in changes.items() if number)
    return f"**{before:,} → {_many(after, 'image')}**: {told or 'no image changed'}."


def _class_list(difference: Difference) -> str:
    added = ", ".join(_code(name) for name in difference.classes_added)
    removed = ", ".join(_code(name) for name in difference.classes_removed)
    parts = [
        f"added {added}" if added else "",
        f"removed {removed}" if removed else "",
        "the others stand in another order" if difference.classes_reordered else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"**The class list changed**: {told}. A model of the one list can't be used with the other." if told else ""


def _class_table(difference: Difference) -> str:
    columns = ["added", "removed", "gained", "lost", "moved"]
    table = difference.classes
    changed = table[table[columns].any(axis=1) | (table["before"] != table["after"])]
    if changed.empty:
        return ""
    rows = [
        [_code(label), *(f"{number:,}" for number in numbers)]
        for label, *numbers in changed[["label", "before", "after", *columns]].head(CLASSES).itertuples(index=False)
    ]
    heads = ["Class", "Before", "After", "Added", "Removed", "Relabelled to it", "Relabelled from it", "Moved"]
    notes = []
    if len(changed) > CLASSES:
        notes.append(f"{len(changed) - CLASSES:,} more classes changed.")
    if len(table) > len(changed):
        notes.append(f"{_many(len(table) - len(changed), 'class', 'classes')} did not change.")
    return "\n\n".join([_table(heads, rows), " ".join(notes)]).rstrip()


def _lists(difference: Difference) -> list[str]:
    """The first few of each kind of change."""

    def plain(path: str, label: str) -> str:
        return f"{_code(path)} ({_code(label)})"

    def relabelled(path: str, label: str, path_before: str, label_before: str) -> str:
        was = "" if path_before == path else f", was {_code(path_before)}"
        return f"{_code(path)}: {_code(label_before)} → {_code(label)}{was}"

    moved = [] if difference.moved is None else difference.moved.to_numpy().tolist()
    kinds = [
        ("Added", [plain(*row) for row in difference.added.to_numpy()]),
        ("Removed", [plain(*row) for row in difference.removed.to_numpy()]),
        ("Relabelled", [relabelled(*row) for row in difference.relabelled.to_numpy()]),
        ("Renamed", [f"{_code(was)} → {_code(path)}" for path, _, was in difference.renamed.to_numpy()]),
        ("Moved between splits", [f"{plain(path, label)}: {was} → {split}" for path, label, was, split in moved]),
        ("Rejected, and not before", [f"{_code(p)}: {reason}" for p, reason in difference.rejects_added.to_numpy()]),
        ("New conflicts: one picture, several labels", [_code(text) for text in difference.conflicts_added]),
        ("Conflicts resolved", [_code(text) for text in difference.conflicts_resolved]),
    ]
    return [_list(title, items) for title, items in kinds if items]


def _care_table(difference: Difference) -> str:
    rows = [["Rejected files", *(f"{number:,}" for number in difference.rejects)]]
    if difference.copies is not None:
        rows.append(["Copies beyond the first", *(f"{number:,}" for number in difference.copies)])
    return "" if all(row[1] == row[2] for row in rows) else _table(["", "Before", "After"], rows)


def _score_table(difference: Difference) -> str:
    if not difference.scores:
        return ""
    rows = []
    for name, (before, after) in difference.scores.items():
        change = "" if before is None or after is None else _change(name, after.value - before.value)
        rows.append([name.replace("_", " "), _score(name, before), _score(name, after), change])
    note = {
        True: "Both were measured on the same test images.",
        False: "The test images are not the same on both sides: part of the difference is theirs.",
        None: "",
    }[difference.same_test_images]
    return "\n\n".join([_table(["Test score", "Before", "After", "Change"], rows), note]).rstrip()


# In nats, where the others are shares.
LOSS = "loss"


def _score(name: str, score: Score | None) -> str:
    if score is None:
        return "not measured"
    form = ".4f" if name == LOSS else ".2%"
    return f"{score.value:{form}} ({score.low:{form}} to {score.high:{form}})"


def _change(name: str, change: float) -> str:
    return f"{change:+.4f}" if name == LOSS else f"{100 * change:+.2f} points"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _list(title: str, items: list[str]) -> str:
    more = [f"- … and {len(items) - LISTED:,} more"] if len(items) > LISTED else []
    return "\n".join([f"**{title}** ({len(items):,})", "", *(f"- {item}" for item in items[:LISTED]), *more])


def _many(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _code(text: str) -> str:
    """As code, whatever it holds: a name is the user's, not ours."""
    text = text.replace("\n", "␤")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m darkroom.diff", description="Compare two versions of the data.")
    parser.add_argument("before", metavar="REV_A", help="a git revision, or `workspace`")
    parser.add_argument("after", metavar="REV_B", help="likewise")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it there as well")
    options = parser.parse_args(arguments)
    with user_errors():
        text = to_markdown(compare(read_state(options.before), read_state(options.after)))
    print(text, end="")
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
