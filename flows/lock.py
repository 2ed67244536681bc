"""One run of the line at a time in a folder; what a killed run left behind is put in order."""

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.cores import busy_note
from darkroom.runtime.lock import AT_WORK, LINE_LOCK, STARTED_UNDER, alone
from flows import orphans
from flows.dvc import DVC_LOCK

# There from the start of a run to its good end: where a run begins and finds it, the one before failed or was killed.
UNFINISHED = LINE_LOCK.with_name("unfinished")

# DVC's own locks: of the repository, while it thinks, and of the paths in use, while a stage runs.
DVC_REPOSITORY, DVC_PATHS = Path(".dvc/tmp/lock"), Path(".dvc/tmp/rwlock")


def _print(text: str) -> None:
    print(text, flush=True)


@contextmanager
def line_lock(who: str, say: Callable[[str], None] = _print) -> Iterator[None]:
    """Wait until no other run of the line is at work in this folder, then hold its lock for the block.

    To be taken before anything is written or read for good, `params.yaml` included: DVC reads it again when a stage ends. A DVC
    that was started by hand is waited for, too. Where the run before was killed, its remaining processes are ended first, and
    the files that DVC does not write whole are checked.

    Args:
        who: we are, for those who come meanwhile: `make run`.
        say: takes the message that we wait, and for whom; and the one that others are at work on this machine.
    """
    while True:
        _wait_for_dvc(say)
        with alone(LINE_LOCK, AT_WORK, who, say):
            # It may have begun while we waited for the lock; its next stage would meet us.
            if _dvc_by_hand() is None:
                if UNFINISHED.exists():
                    _recover()
                UNFINISHED.touch()
                if note := busy_note():
                    say(note)
                yield
                UNFINISHED.unlink()
                return


def _wait_for_dvc(say: Callable[[str], None]) -> None:
    said = False
    while busy := _dvc_by_hand():
        if not said:
            say(f"{busy} is at work in this folder: waiting for its end")
        said = True
        time.sleep(0.5)


def _dvc_by_hand() -> str | None:
    """A DVC at work here that no run of ours started: its command and its process."""
    numbers = set()
    with contextlib.suppress(OSError, ValueError), DVC_REPOSITORY.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            numbers.add(int(file.read()))
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        content = json.loads(DVC_PATHS.read_text(encoding="utf-8"))
        users = [
            *content.get("write", {}).values(),
            *(user for each in content.get("read", {}).values() for user in each),
        ]
        numbers |= {int(user["pid"]) for user in users}
    return next((found for number in sorted(numbers) if (found := _command(number))), None)


def _command(number: int) -> str | None:
    """The DVC that a process is, unless one of our runs started it; the number of one that is gone may be another's."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(number)
        words = process.cmdline()
        places = [place for place, word in enumerate(words) if Path(word).name == "dvc" or "/dvc/" in word]
        if places and STARTED_UNDER not in process.environ():
            return f"`{' '.join(['dvc', *words[places[0] + 1 :]])}` (process {number})"
    return None


def _recover() -> None:
    if ended := orphans.end_all(str(LINE_LOCK.resolve()), STARTED_UNDER):
        print(f"the run before was killed: {ended} of its processes were still there, and are ended")
    if DVC_LOCK.exists() and not _is_valid_lock(DVC_LOCK.read_text(encoding="utf-8", errors="replace")):
        print(f"{DVC_LOCK} was cut off when a run was killed: DVC makes it again from its cache")
        DVC_LOCK.unlink()
    # What is in it names processes that are gone, or is cut off.
    DVC_PATHS.unlink(missing_ok=True)


def _is_valid_lock(text: str) -> bool:
    # Here, since it takes a quarter of a second.
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe", pure=True).load(text))
    except (YAMLError, Invalid):
        return False
    return True
