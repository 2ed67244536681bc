"""Who writes to a folder that several services share: each has a name, and a locked file that says that it still runs."""

import fcntl
import os
import re
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from darkroom.runtime.files import private_opener

# Ending of the file by which a writer shows that it runs.
LOCK = ".lock"


def lock_writer(folder: Path) -> BinaryIO:
    """A file that names this writer, and is locked as long as its process runs: the system lets go of it after a kill, too."""
    host = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:40]
    number = 0
    while True:
        # Containers of one host name may have one process number, too.
        path = folder / f".{host}-{os.getpid()}{f'-{number}' if number else ''}{LOCK}"
        file = open(path, "ab", opener=private_opener)  # noqa: SIM115 - open to the end
        if _try_lock(file) and _is_at(file, path):
            return file
        file.close()
        number += 1


def running_writers(folder: Path, own: str) -> Collection[str]:
    """The other writers of a folder whose process runs; the locks of others are removed."""
    found = set()
    for path in folder.glob(f".*{LOCK}"):
        if writer_of_lock(path) == own:
            continue
        with suppress(FileNotFoundError), path.open("rb") as file:
            if _try_lock(file):
                path.unlink()
            else:
                found.add(writer_of_lock(path))
    return found


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether nobody removed a file between its opening and its lock."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def writer_of_lock(path: Path) -> str:
    """The name of a writer, by its lock."""
    return path.name.removeprefix(".").removesuffix(LOCK)


def writer_of_part(path: Path) -> str:
    """The name of the writer of a part, `predictions-<time>-<writer>-<number>.<form>`."""
    return path.stem.split("-", 2)[-1].rpartition("-")[0]
