"""Names, tables and lists in Markdown, whatever the names hold."""

import re
from collections.abc import Sequence

from darkroom.runtime.text import printable

# Of a path, a class name or a reason; the ends of a path tell more than its middle.
LONGEST = 120


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str = "--:") -> str:
    """The first column is text; the others are numbers, or with `---` text, too."""
    lines = [heads, ["---", *[align] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def bullets(title: str, number: int, first: Sequence[str]) -> str:
    """A list under its title: the first few of so many."""
    more = [f"- … and {number - len(first):,} more"] if number > len(first) else []
    return "\n".join([f"**{title}** ({number:,})", "", *(f"- {item}" for item in first), *more])


def code(text: str) -> str:
    """As code, whatever it holds: a name is the user's, not ours, and no HTML, link, picture, heading or mention.

    It is printable, as in `darkroom.runtime.text`; its middle is left out where it is long.
    """
    text = printable(text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest or text[:1] == " " == text[-1:] else ""
    return f"{fence}{space}{text}{space}{fence}"
