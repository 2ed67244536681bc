"""Great Expectations in a process of its own, so that its import (2 s) and the rest of the stage take place side by side."""

import gc
import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from darkroom.runtime.errors import DarkroomError

if TYPE_CHECKING:  # So that the process starts before pandas is loaded here.
    import pandas as pd

    from darkroom.checks.outcomes import Validation
    from darkroom.checks.suite import Check

ROOT = Path(__file__).parent.parent.parent


class Checker:
    """A context: the process starts with it and is gone after it. Send once, then receive.

    Where Great Expectations is loaded already, there is nothing to gain, and the checks run in this process.
    """

    def __enter__(self) -> Self:
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1)
        if "great_expectations" not in sys.modules:
            path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
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

    def send(self, checks: "list[Check]", tables: "dict[str, pd.DataFrame]") -> None:
        """Hand over what is to be checked; returns at once."""
        self._answer: Future[Validation] = self._thread.submit(self._ask, checks, tables)

    def receive(self) -> "Validation":
        """Wait for what came of it.

        Raises:
            DarkroomError: when the process ended without an answer.
        """
        return self._answer.result()

    def _ask(self, checks: "list[Check]", tables: "dict[str, pd.DataFrame]") -> "Validation":
        if self._process is None:
            from darkroom.checks.worker import check_all

            return check_all(checks, tables)
        answer, told = self._process.communicate(pickle.dumps((checks, tables), pickle.HIGHEST_PROTOCOL))
        if self._process.returncode != 0:
            last = told.decode(errors="replace").strip()[-2000:] or "it said nothing"
            raise DarkroomError(
                f"Great Expectations, which holds the data against what is expected of it, ended with exit status "
                f"{self._process.returncode}: {last}"
            )
        sys.stderr.write(told.decode(errors="replace"))
        found: Validation = pickle.loads(answer)
        return found


def serve() -> None:
    """The other process: checks and tables come from its standard input, what came of them goes to its standard output."""
    # The import makes so many things that looking for unused ones among them takes 0.4 of its 2.1 s.
    gc.disable()
    # Whatever else prints must not get between the bytes of the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from darkroom.checks.worker import check_all

    if asked := sys.stdin.buffer.read():
        answer.write(pickle.dumps(check_all(*pickle.loads(asked))))
        answer.close()


if __name__ == "__main__":
    serve()
