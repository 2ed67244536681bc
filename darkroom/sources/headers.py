"""The headers of a table: the columns that must be there, and what to do where they are not."""

from collections.abc import Sequence
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import OPTIONAL
from darkroom.sources.junk_files import printed


def require_columns(table: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    """Stop where a column is missing, or one of ours stands twice.

    Raises:
        DarkroomError: naming the columns that are there.
    """
    if missing := [name for name in needed if name not in found]:
        raise DarkroomError(
            f"{printed(str(table))} has no column {' and no column '.join(missing)}; its columns are "
            f"{printed(', '.join(found))}: {_remedy(found, missing)}a table of images "
            "needs path and label (or image and label, where it holds the images), divided by commas in a CSV"
        )
    if doubled := [name for name in (*needed, *OPTIONAL) if list(found).count(name) > 1]:
        raise DarkroomError(f"{table} has the column {doubled[0]} twice: take one of them out")


def _remedy(found: Sequence[str], missing: Sequence[str]) -> str:
    """What the headers that are there suggest."""
    for mark, name in ((";", ";"), ("\t", "tabs")):
        if len(found) == 1 and mark in found[0]:
            return f"it is divided by {name}: save it divided by commas; "
    written = {name.strip().lower(): name.strip() for name in found}
    return "".join(f"write {name} for {printed(written[name])}; " for name in missing if name in written)
