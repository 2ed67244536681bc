"""Great Expectations in a process of its own, so that its import (1.2 s) and the rest of the stage take place side by side."""

import gc
import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from darkroom.checks.unused_imports import leave_out_unused_imports
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.checks.suite import Check, Tables, Validation

ROOT = Path(__file__).parent.parent.parent


class Checker:
    """A context: the process starts with it and is gone after it. Send once, then receive.

    Where Great Expectations is loaded already, there is nothing to gain, and the checks run in this process.
    """

    def __enter__(self) -> Self:
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1)
        if "great_expectations" not in sys.modules:
            path = os.pathsep.join(filter(None, [str(ROOT), variable("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "darkroom.checks.checker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": path},
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
        # What waits for the process sees its end, so this does not wait long.
        self._thread.shutdown()
        if self._process is not None:
            self._process.wait()

    def send(self, checks: "list[Check]", tables: "Tables") -> None:
        """Send what is to be checked; returns at once."""
        self._answer: Future[Validation] = self._thread.submit(self._ask, checks, tables)

    def receive(self) -> "Validation":
        """Wait for the outcomes.

        Raises:
            DarkroomError: when the process ended without an answer.
        """
        return self._answer.result()

    def _ask(self, checks: "list[Check]", tables: "Tables") -> "Validation":
        if self._process is None:
            from darkroom.checks.worker import check_all

            return check_all(checks, tables)
        answer, errors = self._process.communicate(pickle.dumps((checks, tables), pickle.HIGHEST_PROTOCOL))
        if self._process.returncode != 0:
            last = errors.decode(errors="replace").strip()[-2000:] or "it printed nothing"
            raise DarkroomError(
                f"Great Expectations, which checks the data, ended with exit status {self._process.returncode}: {last}"
            )
        sys.stderr.write(errors.decode(errors="replace"))
        validation: Validation = pickle.loads(answer)
        return validation


def serve() -> None:
    """The other process: checks and tables come from its standard input, the outcomes go to its standard output."""
    # The import makes so many things that looking for unused ones among them takes 0.4 s more.
    gc.disable()
    # What others print must not get between the bytes of the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    leave_out_unused_imports()
    from darkroom.checks.worker import check_all

    if request := sys.stdin.buffer.read():
        answer.write(pickle.dumps(check_all(*pickle.loads(request))))
        answer.close()
    # Else the interpreter looks through all of it once more as it ends, for 0.7 s.
    gc.freeze()


if __name__ == "__main__":
    serve()
