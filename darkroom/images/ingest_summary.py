"""What ingest prints of the files that it rejected, and of those that it took with a warning."""

from pathlib import Path

import pyarrow as pa

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count, plural, printable


def require_few_rejects(rejects: pa.Table, images: int, max_reject_fraction: float) -> None:
    """Stop where more files can't be read as images than allowed.

    Args:
        rejects: the columns of `REJECTS`.
        images: how many could be read.
        max_reject_fraction: of all files.

    Raises:
        DarkroomError: with the numbers and the first ten reasons.
    """
    total = images + len(rejects)
    if len(rejects) <= max_reject_fraction * total:
        return
    listed = "".join(f"\n  {line}" for line in describe_rejects(rejects, ""))
    raise DarkroomError(
        f"{len(rejects):,} of {total:,} files ({len(rejects) / total:.1%}) can't be read as images, and "
        f"ingest.max_reject_fraction allows {max_reject_fraction:.1%}: fix or remove them, or raise the limit{listed}"
    )


def describe_rejects(rejects: pa.Table, where: str) -> list[str]:
    """The first ten rejects with their reasons, and how many more there are.

    Args:
        rejects: the columns of `REJECTS`.
        where: words for where all of them are.
    """
    first = rejects.slice(0, 10)
    lines = [printable(f"{path}: {reason}") for path, reason in zip(first["path"], first["reason"], strict=True)]
    return lines + ([f"… and {len(rejects) - 10:,} more {where}".rstrip()] if len(rejects) > 10 else [])


def describe_remarks(remarks: pa.Table, where: Path) -> str:
    """How many images decoded to the end with a warning of the decoder, and the first three of them.

    Args:
        remarks: the columns of `REMARKS`.
        where: the file that has all of them.
    """
    number = len(remarks)
    first = zip(remarks["path"][:3].to_pylist(), remarks["remark"][:3].to_pylist(), strict=True)
    named = ", ".join(printable(f"{path} ({remark})") for path, remark in first)
    return (
        f"{count(number, 'image')} decoded to the end with a warning, and {plural(number, 'is', 'are')} used: {named}"
        f"{f' and {number - 3:,} more' if number > 3 else ''}; damage in the middle can look the same: all are in {where}"
    )
