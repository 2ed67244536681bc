"""Child processes that end when we end: each in a session of its own, watched while it runs, and stopped as a group."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn

import psutil

Log = Callable[[str], None]

# How long a command whose children have been ended may take to end by itself, in seconds. DVC writes `dvc.lock` in place, and
# SIGINT in the middle would leave half of it.
GRACE = 2

# Colours and cursor movements that a program writes to a terminal (ECMA-48).
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def end_children_on_signals() -> None:
    """Turn Ctrl-C, SIGTERM and SIGHUP into `SystemExit`: every `finally` still runs, and no traceback is shown.

    From then on they are ignored: an impatient second Ctrl-C must not keep the children from being ended.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in signals:
        signal.signal(each, leave)


def run(command: Sequence[str], environment: Mapping[str, str], log: Log | None) -> tuple[int, str]:
    """Run a command to its end, showing what it prints as it comes.

    Args:
        command: the program and its arguments.
        environment: of the child.
        log: takes each line of output. None: our own standard output; where that is a terminal the child gets one too, and
            its progress bars move.

    Returns:
        The exit status (negative: the signal that ended it), and all it printed, without colours.

    When anything ends us on the way, the whole group ends first, unheard: see `end`.

    Raises:
        OSError: when what it prints can't be shown, since nobody reads it any more or the disk is full.
    """
    to_terminal = log is None and sys.stdout.isatty()
    ours, theirs = pty.openpty() if to_terminal else os.pipe()
    if to_terminal:
        tty.setraw(theirs)  # the real terminal does what a terminal does to lines, once
        termios.tcsetwinsize(theirs, termios.tcgetwinsize(sys.stdout.fileno()))
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True
    )
    ending, heard = threading.Event(), threading.Event()
    reader: threading.Thread | None = None
    printed: list[str] = []
    failed: list[OSError] = []
    try:
        os.close(theirs)
        show = _show_raw if to_terminal else _lines_to(log or _print_line)
        # A thread reads, so that a child that is being ended is not held up by its last words.
        reader = threading.Thread(target=_read_all, args=(ours, show, printed, failed, ending, heard), daemon=True)
        reader.start()
        # To the end of its output, or until nobody reads ours.
        heard.wait()
        if failed:
            raise failed[0]
        status = child.wait()
    finally:
        ending.set()
        end(child, grace=GRACE)
        if reader and reader.ident:
            reader.join()
        os.close(ours)
    return status, _CONTROL.sub("", "".join(printed)).replace("\r\n", "\n")


def end(child: "subprocess.Popen[bytes]", patience: float = 10, grace: float = 0) -> None:
    """End a child that leads its own session, and everything in its group.

    All but the leader get SIGTERM, the leader gets SIGINT after `grace`; who is still there after `patience` gets SIGKILL.

    Args:
        child: the leader.
        patience, grace: in seconds.
    """
    started = time.monotonic()
    asked: set[psutil.Process] = set()
    interrupted = False
    while (others := _group(child.pid)) or child.poll() is None:
        waited = time.monotonic() - started
        if waited > patience:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            break
        if waited >= grace and not interrupted:
            child.send_signal(signal.SIGINT)
            interrupted = True
        # A process that was just being started when we first looked is found in a later round.
        for process in others - asked:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        asked |= others
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.1)
    child.wait()


def _group(leader: int) -> set[psutil.Process]:
    """The living processes of a group, without its leader."""
    found = set()
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if pid != leader and os.getpgid(pid) == leader:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.add(process)
    return found


def _read_all(
    source: int,
    show: Callable[[bytes], None],
    printed: list[str],
    failed: list[OSError],
    ending: threading.Event,
    heard: threading.Event,
) -> None:
    """Read to the end, and show it until `ending`; `heard` is set at the end, or when showing failed."""
    while True:
        try:
            chunk = os.read(source, 65536)
        except OSError:  # Linux answers EIO, where others answer with nothing, when a terminal's last user is gone
            chunk = b""
        if not ending.is_set() and not failed:
            try:
                show(chunk)
            except OSError as error:
                failed.append(error)
                heard.set()
        if not chunk:
            heard.set()
            return
        printed.append(chunk.decode("utf-8", "replace"))


def show_lines(text: str, log: Log) -> None:
    """Give what a program printed to a log, line by line."""
    take = _lines_to(log)
    take(text.encode())
    take(b"")


def _show_raw(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _print_line(line: str) -> None:
    print(line, flush=True)


def _lines_to(log: Log) -> Callable[[bytes], None]:
    """Cut a stream of bytes into lines; of a line written over and over (a progress bar) the last state counts."""
    rest = b""

    def take(chunk: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            lines.append(rest)
        for line in lines:
            text = _CONTROL.sub("", line.decode("utf-8", "replace")).rstrip("\r").rpartition("\r")[2]
            if text.strip():
                log(text)

    return take
