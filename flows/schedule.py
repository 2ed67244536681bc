"""`make schedule`: retrain on the cron of `params.yaml`, until Ctrl-C.

    python -m flows.schedule          # with a Prefect server where none is named, and its page
    python -m flows.schedule --serve  # the runner alone, which the command above starts and ends

Needs no server: where `PREFECT_API_URL` names none, one of the project's own runs as long as this does. Prefect reads its
environment when it is imported: after the server is settled, hence the imports in the functions.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import alone
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from darkroom.settings.schedule import Schedule
from flows import server
from flows.processes import end, end_children_on_signals
from flows.summary import tool

if TYPE_CHECKING:
    from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule

NAME = "scheduled"
LOCK = Path(".darkroom/schedule/lock")


def cron_schedule(settings: Schedule) -> "CronSchedule":
    """The schedule of `params.yaml`, as Prefect takes it.

    Raises:
        DarkroomError: for what the settings allow, and Prefect does not.
    """
    from prefect.client.schemas.schedules import CronSchedule

    try:
        return CronSchedule(cron=settings.cron, timezone=settings.timezone)
    except ValidationError as error:
        mistakes = "; ".join(f"schedule.{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        raise DarkroomError(mistakes) from None


def serve_retraining(schedule: "SCHEDULE_TYPES") -> None:
    """Retrain whenever `schedule` is due, or somebody asks for a run, one run at a time, until SIGINT."""
    from prefect.types.entrypoint import EntrypointType

    from flows.line import retrain

    retrain.serve(
        NAME,
        schedules=[schedule],
        limit=1,
        pause_on_shutdown=False,
        print_starting_message=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


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
        raise DarkroomError(f"the schedule ended by itself, with status {status}; what it printed is above")


def run() -> None:
    """Serve until Ctrl-C, with a server where none is named."""
    settings = read_params().schedule
    # Before Prefect is imported, which reads the address that the server then has; the settings were checked when read.
    if port := server.settle():
        server.start(port, schedules=True)
    address = server.address()
    server.require(address)
    print(
        f"retraining by the cron {settings.cron!r} ({settings.timezone}), until Ctrl-C\n"
        f"  page     {address.removesuffix('/api')}\n"
        f"  run now  PREFECT_API_URL={address} {tool('prefect')} deployment run retrain/{NAME}",
        flush=True,
    )
    watch([sys.executable, "-m", "flows.schedule", "--serve"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.schedule", description="Retrain on a schedule.")
    parser.add_argument("--serve", action="store_true", help="the runner alone, for a server that is there")
    arguments = parser.parse_args()
    if arguments.serve:
        # Importing Prefect takes seconds: Ctrl-C ends this meanwhile without a traceback, and then its runner handles it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        import flows.line  # noqa: F401

        with user_errors():
            schedule = cron_schedule(read_params().schedule)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            serve_retraining(schedule)
    else:
        end_children_on_signals()
        # Two would retrain twice at each time that is due.
        with user_errors(), alone(LOCK, "another schedule is at work in this folder", "make schedule"):
            run()


if __name__ == "__main__":
    main()
