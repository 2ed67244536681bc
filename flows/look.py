"""One look at the line: the stages that always run have run, and DVC has said once which others are out of date.

A DVC process takes a second: one for each stage was most of the time of a run that had nothing to do.

    python -m flows.look [STAGE …]  # these stages, then `dvc status`, in one process, which `Look` starts
"""

import json
import re
import subprocess
import sys
import tempfile
from functools import cached_property
from typing import Self

from darkroom.runtime.errors import DarkroomError
from flows import dvc, processes
from flows.processes import Log

# Between what the stages print and what `dvc status` does.
STATUS = "\x1estatus\x1e"


class Look:
    """Begins at once, so that whoever made it can do something else meanwhile, and is ended as a context.

    To be made with the line's lock.
    """

    def __init__(self) -> None:
        self._always = dvc.stages_always_run()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the look)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "flows.look", *self._always],
            env=dvc.environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        processes.end(self._child, grace=processes.GRACE)
        self._output.close()

    def show(self, stage: str, log: Log) -> bool:
        """What a stage that always runs printed, once the look is over; False where `stage` is none of them.

        Raises:
            DarkroomError: when it stopped.
        """
        if stage not in self._always:
            return False
        of_stages, _ = self._printed
        parts = re.split(r"(?m)^(?=Running stage ')", of_stages)
        for part in parts:
            if part.startswith(f"Running stage '{stage}'"):
                processes.show_lines(part, dvc.without_advice(log))
        if self._child.returncode and stage in (parts[-1].partition("'")[2].partition("'")[0], self._always[-1]):
            raise DarkroomError(dvc.explain(["repro"], self._child.returncode, of_stages))
        return True

    @cached_property
    def out_of_date(self) -> set[str]:
        """The other stages that DVC would run, as far as it can tell before it runs any of them.

        Raises:
            DarkroomError: when it can't tell.
        """
        of_stages, answer = self._printed
        if self._child.returncode:
            raise DarkroomError(dvc.explain(["status"], self._child.returncode, of_stages + answer))
        return {stage for stage, found in json.loads(answer).items() if found != ["always changed"]}

    @cached_property
    def _printed(self) -> tuple[str, str]:
        """What the stages printed, and DVC's answer."""
        self._child.wait()
        self._output.seek(0)
        of_stages, _, answer = self._output.read().decode("utf-8", "replace").partition(STATUS)
        return of_stages, answer


def main(stages: list[str]) -> int:
    # The command line's own entry point: as two commands, but DVC is imported once.
    from dvc.cli import main as command

    if stages and (status := command(["--wait-for-lock", "repro", "--single-item", *stages])):
        return int(status)
    print(STATUS, flush=True)
    return int(command(["--wait-for-lock", "status", "--json"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
