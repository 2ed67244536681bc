"""`make retrain`: one retraining now, as the schedule does it.

    python -m flows.retrain_now --reason="new labels"
    python -m flows.retrain_now --dry=1                 # up to the gate's decision, and change nothing
    python -m flows.retrain_now --force=1               # also where nothing is new

Needs no server: where `PREFECT_API_URL` names none and no schedule is at work here, one runs for as long as this does.
"""

import argparse

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import server
from flows.processes import end_children_on_signals


def _switch(name: str, value: str) -> bool:
    if value not in ("", "0", "1"):
        raise DarkroomError(f"{name}={value}: should be 1, or nothing")
    return value == "1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.retrain_now", description="Retrain now.")
    parser.add_argument("--reason", default="", metavar="WORDS", help="why, for the run's name and the commit")
    parser.add_argument("--force", default="", metavar="1", help="also where nothing is new")
    parser.add_argument("--dry", default="", metavar="1", help="up to the gate's decision, and change nothing")
    parser.add_argument(
        "--accept-test-changes", default="", metavar="1", help="relabelled and removed test images were looked at"
    )
    arguments = parser.parse_args()
    end_children_on_signals()
    with user_errors():
        force, dry = _switch("FORCE", arguments.force), _switch("DRY", arguments.dry)
        accept = _switch("ACCEPT_TEST_CHANGES", arguments.accept_test_changes)
        read_params()
        if port := server.settle():
            server.start(port, schedules=False)
        server.require(server.address())
        # Prefect reads its settings when it is imported: after they are settled.
        from flows.retrain import retrain

        state = retrain(arguments.reason or "by hand", force, dry, accept, return_state=True)
        if not state.is_completed():
            raise DarkroomError(state.message or f"the flow ended as {state.name}")
        print(state.message)


if __name__ == "__main__":
    main()
