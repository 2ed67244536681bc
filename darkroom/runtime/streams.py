"""Standard input, output and errors of a command, which whoever starts it may have closed, or may close while it works."""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# As a shell counts a command that SIGPIPE ended.
PIPE_CLOSED = 141


def open_streams() -> list[str]:
    """Let the streams that were closed at the start lead nowhere: else the next file that is opened would take their place, and
    what is printed would be written into it.

    What the encoding of standard output lacks is written as an escape: a terminal in Latin-1 must not end a run for a name.

    Returns:
        The names of those that were closed: `stdin`, `stdout`, `stderr`.
    """
    closed = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            closed.append(name)
            # The lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")
    return closed


@contextmanager
def closed_pipes() -> Iterator[None]:
    """End quietly when nobody reads what is printed any more, as `head` does after some lines.

    Raises:
        SystemExit: with the status of a command that SIGPIPE ended.
        OSError: when standard output can't be written for another reason, such as a full disk.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _forget_output()
            raise
        if not _unread(sys.stdout.fileno()):
            raise
        _forget_output()
        raise SystemExit(PIPE_CLOSED) from None


def _unread(number: int) -> bool:
    """Whether a stream is a pipe or a socket whose other end is closed."""
    poll = select.poll()
    poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _forget_output() -> None:
    """What Python can't write now must not fail once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
