"""What a schedule started ends with it, whichever of its processes is killed.

Everything that a schedule starts inherits `SUPERVISED_BY` in its environment. A process with that mark that is no descendant of
the schedule has lost its parent, and is ended. Where the schedule itself is killed, its watchman does so: a process that waits
for the end of a pipe, which the system closes with the schedule.

    python -m flows.orphans MARK  # the watchman, started by `Watchman`
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from darkroom.runtime.environment import without

SUPERVISED_BY = "DARKROOM_SUPERVISED_BY"


def mark_children(lock: Path) -> str:
    """Put the mark of this process into what its children inherit; `lock` is the one that it holds.

    The mark is another for each process: a late watchman of an earlier one must not end what this one starts.
    """
    mark = f"{lock.resolve()}:{os.getpid()}:{psutil.Process().create_time()}"
    os.environ[SUPERVISED_BY] = mark
    return mark


def marked(mark: str, variable: str = SUPERVISED_BY) -> dict[psutil.Process, dict[str, str]]:
    """Processes whose mark, a variable of the environment, begins so, with their environments; without this one."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            is_other = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
            if is_other and environment.get(variable, "").startswith(mark):
                found[process] = environment
    return found


def end_all(mark: str, variable: str = SUPERVISED_BY) -> int:
    """End all that have a mark that begins so, and what they start meanwhile; returns how many there were.

    They get SIGKILL: everything here is written so that a kill does no harm.
    """
    ended = 0
    while found := marked(mark, variable):
        ended += _kill(list(found))
    return ended


def end_orphans(mark: str) -> int:
    """End those with our mark that are not our descendants any more; returns how many there were."""
    ended = 0
    # The marked ones first: one of them that is no descendant afterwards has lost its parent, and isn't just new.
    while found := set(marked(mark)) - set(psutil.Process().children(recursive=True)):
        ended += _kill(list(found))
    return ended


def _kill(processes: list[psutil.Process]) -> int:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
    return len(processes)


class Watchman:
    """A process that ends all that have a mark when this one ends, however it ends.

    Args:
        mark: from `mark_children`.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._process: subprocess.Popen[bytes] | None = None
        self.keep()

    def keep(self) -> None:
        """Start it again where it was killed."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.orphans", self._mark],
                stdin=subprocess.PIPE,
                env=without(SUPERVISED_BY),
                start_new_session=True,
            )


if __name__ == "__main__":
    # Nobody writes: this ends when the only process that could has ended.
    sys.stdin.buffer.read()
    end_all(sys.argv[1])
