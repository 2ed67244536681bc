"""`make flow`: the line as a Prefect flow. The same hashes as `dvc repro`, with a log and a record of every run.

Needs no server: where `PREFECT_API_URL` names none, one of the project's own runs for as long as the flow does.
"""

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import server
from flows.processes import end_children_on_signals


def main() -> None:
    end_children_on_signals()
    with user_errors():
        read_params()
        if port := server.settle():
            server.start(port, schedules=False)
        server.require(server.address())
        # Prefect reads its settings when it is imported: after they are settled.
        from flows.line import line

        state = line(return_state=True)
        if not state.is_completed():
            raise DarkroomError(state.message or f"the flow ended as {state.name}")
        print(state.message)


if __name__ == "__main__":
    main()
