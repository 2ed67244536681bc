"""`make flow`: the line as a Prefect flow. The same hashes as `dvc repro`, with a log and a record of every run.

Needs no server: where `PREFECT_API_URL` names none, one of the project's own runs for as long as the flow does.
"""

import importlib

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import server
from flows.lock import line_lock
from flows.look import Look
from flows.processes import end_children_on_signals


def _import_line() -> None:
    importlib.import_module("flows.line")


def run() -> str:
    """Bring the line up to date, and return what to print at the end.

    Raises:
        DarkroomError: with what stopped it.
    """
    read_params()
    # Before the look, which would have run for nothing.
    port = server.settle()
    with line_lock("make flow"), Look() as look:
        # Three things that take seconds go at once: DVC, the server, and the import of Prefect, which reads its settings
        # when it is imported: after they are settled.
        if port:
            server.start(port, schedules=False, meanwhile=_import_line)
        else:
            server.require(server.address())
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from flows.line import run_line

        with temporary_settings({PREFECT_API_URL: server.address()}):
            state = run_line(look)
        if not state.is_completed():
            raise DarkroomError(state.message or f"the flow ended as {state.name}")
        return str(state.message)


def main() -> None:
    end_children_on_signals()
    with user_errors():
        print(run())


if __name__ == "__main__":
    main()
