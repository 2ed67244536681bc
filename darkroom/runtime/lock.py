"""Locks, and the one that a run of the line holds from before its first write to its end: who holds it is shown."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError

LINE_LOCK = Path(".darkroom/line/lock")
# In the environment of what a holder of the lock starts: the path of the lock.
STARTED_UNDER = "DARKROOM_STARTED_UNDER"
AT_WORK = "another run of the line is at work in this folder"


@contextmanager
def alone(path: Path, at_work: str, who: str, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock until the block ends; the system drops it when the process ends, however it ends.

    Args:
        path: the file; its folder is made where there is none.
        at_work: the message when another process holds it; who that is follows.
        who: we are, in the message of those who come meanwhile: `make run`.
        wait: takes the message, and we wait for the other process; without it we raise.

    Raises:
        DarkroomError: `at_work`, where another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not emptied by opening: it says who holds it.
    with path.open("a+b") as file:
        if not _taken(file, fcntl.LOCK_EX):
            message = f"{at_work}{_holder(file)}"
            if wait is None:
                raise DarkroomError(f"{message}: wait for its end, or end it")
            wait(f"{message}: waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{who}, process {os.getpid()}, since {datetime.now():%Y-%m-%d %H:%M}".encode())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(path: Path) -> str | None:
    """Who holds a lock, as `alone` shows it; None where nobody does."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        return None if _taken(file, fcntl.LOCK_SH) else _holder(file).strip(" ()")


@contextmanager
def beside_no_run() -> Iterator[None]:
    """Around a stage that is not started by a run of ours but by hand, as by `dvc repro`: no run is at work, and none begins.

    Raises:
        DarkroomError: when one is, with its process.
    """
    if variable(STARTED_UNDER) == str(LINE_LOCK.resolve()):
        yield
        return
    LINE_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LINE_LOCK.open("a+b") as file:
        if not _taken(file, fcntl.LOCK_SH):
            raise DarkroomError(f"{AT_WORK}{_holder(file)}: wait for its end, or end it")
        # Whoever held it before was killed, or it would be empty.
        file.truncate(0)
        yield


def _taken(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: BinaryIO) -> str:
    file.seek(0)
    who = file.read().decode("utf-8", "replace")
    return f" ({who})" if who else " (a stage that was started by hand)" if _shared(file) else ""


def _shared(file: BinaryIO) -> bool:
    """Whether stages hold the lock, which share it."""
    if shared := _taken(file, fcntl.LOCK_SH):
        fcntl.flock(file, fcntl.LOCK_UN)
    return shared
