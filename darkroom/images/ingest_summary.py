"""What ingest prints of the files that it rejected, and of those that it took with a warning."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from darkroom.images.ingest import IngestResult
from darkroom.images.ingest_receipts import RangeReceipt
from darkroom.labels.apply import describe_fixes
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


def describe_result(found: IngestResult, classes: int, out: Path, decided_in: Sequence[str]) -> list[str]:
    """What ingest made, for people.

    Args:
        found: the result.
        classes: how many.
        out: the folder with its tables.
        decided_in: the files and folders that the fixes come from.
    """
    rejects = found.unreadable
    lines = [
        f"ingest: {found.images:,} images of {classes} classes, {len(rejects):,} rejected; {found.read:,} of them were read, "
        f"the others were in the cache{describe_timestamps(found.receipts)}"
    ]
    if len(found.fixes):
        lines.append(f"ingest: {describe_fixes(found.fixes)}, as in {' and '.join(decided_in)}")
    if len(found.remarks):
        lines.append(f"ingest: {describe_remarks(found.remarks, out / 'remarks.parquet')}")
    return lines + [f"  rejected {line}" for line in describe_rejects(rejects, f"in {out / 'rejects.parquet'}")]


def describe_timestamps(receipts: Sequence[RangeReceipt]) -> str:
    """A line with the first and the last day of the timestamps, for a look at what the table was read as; empty without any."""
    timed, images = sum(each.timed for each in receipts), sum(each.images for each in receipts)
    firsts = [each.first for each in receipts if each.first]
    lasts = [each.last for each in receipts if each.last]
    if not firsts:
        return ""
    some = f", of {timed:,} of {images:,} images" if timed < images else ""
    return f"\n  timestamps: {min(firsts):%Y-%m-%d} to {max(lasts):%Y-%m-%d}{some}"


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
