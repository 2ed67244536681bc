"""What `make schedule` keeps running: a Prefect runner that retrains when the schedule, or somebody, asks for it."""

from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule
from prefect.types.entrypoint import EntrypointType
from pydantic import ValidationError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from darkroom.settings.read import read_params
from darkroom.settings.schedule import Schedule
from flows.retrain import retrain

NAME = "scheduled"


def cron_schedule(settings: Schedule) -> CronSchedule:
    """The schedule of `params.yaml`, as Prefect takes it.

    Raises:
        DarkroomError: for a cron or a time zone that is none.
    """
    if len(settings.cron.split()) != 5:
        raise DarkroomError(
            f"schedule.cron: {settings.cron!r} must have five fields: minute, hour, day, month, weekday"
        )
    try:
        return CronSchedule(cron=settings.cron, timezone=settings.timezone)
    except ValidationError as error:
        mistakes = "; ".join(f"schedule.{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        raise DarkroomError(mistakes) from None


def serve_retraining(schedule: SCHEDULE_TYPES) -> None:
    """Retrain whenever `schedule` says, or somebody asks for a run, one run at a time, until SIGINT."""
    retrain.serve(
        NAME,
        schedules=[schedule],
        limit=1,
        pause_on_shutdown=False,
        print_starting_message=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


if __name__ == "__main__":
    with user_errors():
        serve_retraining(cron_schedule(read_params().schedule))
