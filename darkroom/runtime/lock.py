"""One at a time: a lock that the system drops when its process ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkroom.runtime.errors import DarkroomError


@contextmanager
def alone(path: Path, taken: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock until the block ends.

    Args:
        path: the file; its folder is made where there is none.
        taken: what another holder means, in words.
        wait: print `taken` and wait for the other; else raise.

    Raises:
        DarkroomError: `taken`, where another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise DarkroomError(taken) from None
            print(taken, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
