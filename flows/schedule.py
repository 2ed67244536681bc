"""`make schedule`: retraining on the cron of `params.yaml`, until Ctrl-C.

Needs no server: where `PREFECT_API_URL` names none, one of the project's own runs as long as this does. Server and runner are
supervised: see `flows.supervisor`.
"""

import sys
from collections.abc import Sequence

from darkroom.runtime.lock import alone
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from flows import orphans, server
from flows.crashed import NAME
from flows.processes import end_children_on_signals
from flows.server import SCHEDULE_LOCK
from flows.summary import tool
from flows.supervisor import Supervisor

RUNNER = (sys.executable, "-m", "flows.deployments")


def run(runner: Sequence[str] = RUNNER) -> None:
    """Serve until a signal ends it, with a server where none is named; to be called with the schedule's lock.

    Args:
        runner: the command that serves the deployments.

    Raises:
        DarkroomError: when the server does not come up, or when server or runner can't be kept at work.
    """
    settings = read_params().schedule
    if left := orphans.end_all(f"{SCHEDULE_LOCK.resolve()}:"):
        print(f"the schedule before was killed: {left} of its processes were still there, and are ended")
    # Of a schedule that was killed.
    server.SCHEDULE_ADDRESS.unlink(missing_ok=True)
    port = server.settle()
    supervisor = Supervisor(SCHEDULE_LOCK, port, runner)
    server.require(server.address())
    print(
        f"retraining by the cron {settings.cron!r} ({settings.timezone}), until Ctrl-C\n"
        f"  page     {server.address().removesuffix('/api')}\n"
        f"  run now  PREFECT_API_URL={server.address()} {tool('prefect')} deployment run retrain/{NAME}",
        flush=True,
    )
    supervisor.watch()


def main() -> None:
    end_children_on_signals()
    # Two would retrain twice at each time that is due.
    with user_errors(), alone(SCHEDULE_LOCK, "another schedule is at work in this folder", "make schedule"):
        run()


if __name__ == "__main__":
    main()
