"""Around the work of every command: mistakes of the user without a traceback, and the time it took."""

import gc
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import psutil

from darkroom.runtime.damage import damaged_inputs
from darkroom.runtime.disk import disk_errors
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.runtime.lock import beside_no_run
from darkroom.runtime.paths import TIMINGS
from darkroom.runtime.streams import closed_pipes, open_streams
from darkroom.runtime.text import printable_lines
from darkroom.runtime.unchanged import unchanged_inputs


class PrintableOutput:
    """Standard output on which no name that is printed can command the terminal; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable_lines(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def user_errors() -> Iterator[None]:
    """The edge of a command: a `DarkroomError`, and what a disk refuses, is one message on stderr and exit status 1.

    All that is printed is printable. Whoever stops reading it ends the command without a message; standard streams that were
    closed at the start lead to nothing.
    """
    open_streams()
    try:
        with disk_errors(), closed_pipes(), redirect_stdout(cast(TextIO, PrintableOutput(sys.stdout))):
            yield
    except DarkroomError as error:
        # Where there is room for no word, the status has to do.
        with suppress(OSError):
            print(f"error: {printable_lines(str(error))}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


@contextmanager
def missing_inputs() -> Iterator[None]:
    """Turn a missing file of the line into a message with the stage that makes it.

    Raises:
        DarkroomError: in place of `FileNotFoundError`, for files under data/, models/ and reports/.
    """
    try:
        yield
    except FileNotFoundError as error:
        # pyarrow gives the path as its message, and safetensors behind these words.
        missing = Path(error.filename or str(error).removeprefix("No such file or directory: "))
        if missing.is_absolute() or not missing.parts or missing.parts[0] not in ("data", "models", "reports"):
            raise
        maker = "/".join(missing.parts[:2])
        raise DarkroomError(
            f"{missing} is not there yet: run `dvc repro {missing.parts[1]}`, which makes {maker}"
        ) from None


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Run a stage's `main`: user errors as messages, no other run beside it, settings that stay as they are, and what it cost
    in `reports/timings/<name>.json`.
    """
    with user_errors():
        with missing_inputs(), damaged_inputs(name), beside_no_run(), unchanged_inputs(name):
            yield
        write_timing(name, _costs())
        # What is left is freed as the interpreter ends; it would first look through all of it for circles: 0.4 s with torch.
        gc.freeze()


def _costs() -> dict[str, object]:
    """What this process cost since its start, imports included, and the processes that it waited for.

    Returns:
        `seconds` of wall time; `cpu_seconds` of all cores, which others on the machine change little; `peak_memory` in bytes,
        of the largest of the processes.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": round(time.time() - psutil.Process().create_time(), 2),
        "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in used), 2),
        "peak_memory": max(each.ru_maxrss for each in used) * unit,
    }


def write_timing(name: str, values: dict[str, object]) -> None:
    """Write what was measured to `reports/timings/<name>.json`; it differs from run to run, so DVC does not track it."""
    TIMINGS.mkdir(parents=True, exist_ok=True)
    write_json(TIMINGS / f"{name}.json", values)


def draw_pages(*pages: str) -> None:
    """Draw pages in another process: no page code is then in the import closure of the stage, and a changed word reruns only
    `report`. Where that fails it prints its own error; the line goes on, and its stage `report` draws them again.

    Args:
        pages: as for `python -m stages.report`.
    """
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(filter(None, [str(root), variable("PYTHONPATH")]))
    # Put together, since a string that names a module counts as an import of it.
    module = ".".join(["stages", "report"])
    subprocess.run([sys.executable, "-m", module, *pages], env=os.environ | {"PYTHONPATH": paths})
