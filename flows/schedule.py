"""`make schedule`: retrain on the cron of `params.yaml`, until Ctrl-C.

Needs no server: where `PREFECT_API_URL` names none, one of the project's own runs as long as this does, with its page.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import server
from flows.processes import end, end_children_on_signals
from flows.summary import tool


def watch(command: Sequence[str]) -> None:
    """Run a command until it ends or we do; then it ends too, with the runs that it has started.

    A run that is being ended takes up to ten seconds for its stage, hence the longer patience here.

    Raises:
        DarkroomError: when the command ends by itself with another status than 0.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = child.wait()
    finally:
        end(child, patience=20)
    if status != 0:
        raise DarkroomError(f"the schedule ended by itself, with status {status}; what it printed stands above")


def main() -> None:
    end_children_on_signals()
    with user_errors():
        settings = read_params().schedule
        port = server.settle()
        # Prefect reads its environment when it is imported: after it is settled.
        from flows.serve import NAME, cron_schedule

        cron_schedule(settings)
        if port:
            server.start(port, schedules=True)
        address = os.environ["PREFECT_API_URL"]
        server.require(address)
        print(
            f"retraining by the cron {settings.cron!r} ({settings.timezone}), until Ctrl-C\n"
            f"  page     {address.removesuffix('/api')}\n"
            f"  run now  PREFECT_API_URL={address} {tool('prefect')} deployment run retrain/{NAME}",
            flush=True,
        )
        watch([sys.executable, "-m", "flows.serve"])


if __name__ == "__main__":
    main()
