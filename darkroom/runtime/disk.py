"""What a disk or a file system refuses, as a message: full, read-only, or failing."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkroom.runtime.errors import DarkroomError

# By the error's number: what is wrong, and the remedy.
TROUBLES = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("the disk quota is used up", "make room"),
    errno.EFBIG: ("a file would be larger than the file system or `ulimit -f` allows", "raise the limit"),
    errno.EROFS: ("the file system is read-only", "mount it for writing, or work in a folder that can be written to"),
    errno.EIO: ("the disk or the network share fails", "check it, as with `dmesg`"),
    errno.ESTALE: ("the network share has gone and come back", "mount it again"),
}
# Libraries in C++ and Rust give no number; SQLite and NumPy have words of their own, and torch has none for it.
WORDS = {os.strerror(number).lower(): number for number in TROUBLES} | {
    "disk is full": errno.ENOSPC,
    "requested and": errno.ENOSPC,
    "disk i/o error": errno.EIO,
}
# Bytes below which a disk counts as full where an error does not tell why a file can't be written; and with which it is none.
FULL, PLENTY = 1 << 16, 1 << 30


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what a disk refuses into a message with the place and the remedy.

    Raises:
        DarkroomError: in place of the error, also where a library raises one of its own for it.
    """
    try:
        yield
    except DarkroomError:
        raise
    except Exception as error:
        if message := disk_trouble(error):
            raise DarkroomError(message) from None
        raise


def disk_trouble(error: BaseException) -> str | None:
    """The message for an error that comes from a disk; None for any other."""
    each: BaseException | None = error
    while each:
        if isinstance(each, OSError) and each.errno in TROUBLES:
            return _message(each.errno, _path(each))
        words = str(each).lower()
        for word, number in WORDS.items():
            if word in words:
                return _message(number, _path(each))
        each = each.__cause__ or each.__context__
    # Such as torch's "unexpected pos 64 vs 0".
    if isinstance(error, RuntimeError) and _free(Path()) < FULL:
        return _message(errno.ENOSPC, f" ({error})")
    return None


def explain_words(text: str) -> str:
    """The remedy for what another program printed, to append to it; empty where it is not about a disk."""
    found = [number for word, number in WORDS.items() if word in text.lower()]
    return f": {TROUBLES[found[0]][1]}, then type the same command again" if found else ""


def _path(error: BaseException) -> str:
    names = [os.fsdecode(name) for name in (getattr(error, "filename", None),) if isinstance(name, str | bytes)]
    return f" ({names[0]})" if names else f" ({error})" if str(error) and not isinstance(error, OSError) else ""


def _message(number: int, where: str) -> str:
    trouble, remedy = TROUBLES[number]
    room, free = "", _free(Path())
    if number == errno.ENOSPC:
        elsewhere = " (a full one is where standard output or temporary files go)" if free > PLENTY else ""
        room = f"; {free:,} bytes are free in {Path.cwd()}{elsewhere}"
    return f"{trouble}{where}{room}: {remedy}, then type the same command again"


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
