"""Numbers and nouns in messages and on pages; and what others named, as text that commands no terminal and no spreadsheet."""

import re
from collections.abc import Iterable

# What moves a terminal's cursor or colours it, breaks a line, or turns the direction of text; and halves of characters.
_CONTROL = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
CONTROLS = re.compile(_CONTROL)
CONTROLS_IN_LINES = re.compile(rf"(?![\n\t]){_CONTROL}")
ESCAPES = re.compile(r"\\(\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})")
UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
# What a spreadsheet takes for the beginning of a formula, also in full width; and the mark that `csv_cell` puts before it.
FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
TEXT_MARK = "'"


def plural(number: int, singular: str, plural_form: str = "") -> str:
    """The form of a word that goes with a number: `image` or `images`, `file is` or `files are`.

    Args:
        number: of things.
        singular: the form for one.
        plural_form: the form for any other number; by default the singular with an `s`.
    """
    return singular if number == 1 else plural_form or f"{singular}s"


def count(number: int, singular: str, plural_form: str = "") -> str:
    """A number with its noun: `1 image`, `60,000 images`; the arguments are those of `plural`."""
    return f"{number:,} {plural(number, singular, plural_form)}"


def printable(name: str) -> str:
    r"""A name in one line of text that commands nothing: a line's end as `\n`, an escape as `\x1b`.

    Where a name has such a character, or what looks like one, its backslashes are doubled, so that no two names give one text:
    `unprintable` gives the name back.
    """
    if not CONTROLS.search(name) and not ESCAPES.search(name):
        return name
    return CONTROLS.sub(_escape, name.replace("\\", "\\\\"))


def unprintable(text: str) -> str:
    """The name that `printable` made a text of."""
    return ESCAPES.sub(lambda found: UNESCAPED.get(found[1]) or chr(int(found[1][1:], 16)), text)


def printable_lines(text: str) -> str:
    """Text of several lines for a terminal: what commands it is escaped, as in `printable`; lines and tabs stay.

    Text in which every name is printable already stays as it is.
    """
    return CONTROLS_IN_LINES.sub(_escape, text)


def one_a_line(lines: Iterable[str]) -> str:
    """Lines with names in them, each of which is one line whatever the names hold."""
    return "\n".join(printable(line) for line in lines)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def csv_cell(name: str) -> str:
    """A name as a cell of a CSV: printable, and with a ' before what a spreadsheet would run as a formula (=, +, -, @).

    A ' at the beginning gets another before it, so that `csv_value` gives the name back.
    """
    text = printable(name)
    return TEXT_MARK + text if text.startswith((*FORMULA_STARTS, TEXT_MARK)) else text


def csv_value(cell: str) -> str:
    """The name that `csv_cell` made a cell of; a cell of another origin stays as it is, where no escape is in it."""
    marked = cell.startswith(TEXT_MARK) and cell[1:].startswith((*FORMULA_STARTS, TEXT_MARK))
    return unprintable(cell.removeprefix(TEXT_MARK) if marked else cell)
