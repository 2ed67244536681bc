"""The flows as deployments, each with its times, what it is for, and one run at a time; and the runner of the schedule.

python -m flows.deployments  # the runner alone, which `make schedule` starts and supervises
"""

import signal
import sys
from typing import TYPE_CHECKING

from pydantic import ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from darkroom.settings.schedule import Schedule
from flows.crashed import NAME

if TYPE_CHECKING:
    from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule
    from prefect.deployments.runner import RunnerDeployment

# When the others are due, in UTC: every quarter of an hour, and every six hours.
MONITOR_CRON, DOCTOR_CRON = "*/15 * * * *", "30 */6 * * *"
RETRAIN = "Make a candidate of all images and labels there are now; the gate decides if it is the champion."
MONITOR = "Look at what the service answered since the last run: has it shifted? Retrain where labels are enough."
DOCTOR = "Look at packages, disk, cache, remote, locks, champion and last retraining; fail where there is a problem."


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


def make_deployments(retraining: "SCHEDULE_TYPES", name: str) -> "list[RunnerDeployment]":
    """Each flow as a deployment.

    Args:
        retraining: when to retrain.
        name: of all of them; each flow has one.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    from flows.doctor import doctor
    from flows.monitor import monitor
    from flows.retrain import retrain

    enqueue, cancel = ConcurrencyLimitStrategy.ENQUEUE, ConcurrencyLimitStrategy.CANCEL_NEW
    return [
        RunnerDeployment.from_flow(
            flow,
            name,
            schedules=[due],
            description=description,
            tags=["darkroom", tag],
            # The limit is the deployment's: it holds for the runs of every runner. A run that has lost its process gives its
            # place back when it is marked as crashed. A retraining that is asked for during another comes after it.
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=at_limit),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for flow, due, tag, at_limit, description in (
            (retrain, retraining, "model", enqueue, RETRAIN),
            (monitor, CronSchedule(cron=MONITOR_CRON), "production", cancel, MONITOR),
            (doctor, CronSchedule(cron=DOCTOR_CRON), "machine", cancel, DOCTOR),
        )
    ]


def serve(retraining: "SCHEDULE_TYPES") -> None:
    """Run each flow when it is due, or when somebody asks for it, until SIGINT.

    Args:
        retraining: when to retrain.
    """
    from prefect import serve as serve_deployments

    deployments = make_deployments(retraining, NAME)
    serve_deployments(*deployments, pause_on_shutdown=False, print_starting_message=False, limit=len(deployments))


if __name__ == "__main__":
    # Importing Prefect takes seconds: Ctrl-C ends this meanwhile without a traceback, and then its runner handles it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import flows.retrain  # noqa: F401

    with user_errors():
        schedule = cron_schedule(read_params().schedule)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            serve(schedule)
        except KeyboardInterrupt:
            # While deployments are made; the runner handles a later one.
            sys.exit(128 + signal.SIGINT)
