"""Settings of `make schedule`."""

import difflib
import zoneinfo
from datetime import UTC, datetime
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from darkroom.settings.base import Section, shown


class Schedule(Section):
    """When the line retrains by itself."""

    cron: Annotated[str, Field(min_length=1)] = "0 3 * * *"
    """When `make schedule` retrains, in cron's five fields."""
    timezone: Annotated[str, Field(min_length=1)] = "UTC"
    """The time zone of `cron`, as in `Europe/Paris`."""

    @field_validator("cron")
    @classmethod
    def _due_at_times(cls, cron: str) -> str:
        try:
            # Two fields more and fewer are crons, too, but not Prefect's; a day such as 31 February is none.
            if len(cron.split()) == 5 and next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))):
                return cron
        except (CronSimError, StopIteration):
            pass
        raise ValueError(
            f"is {shown(cron)}, should be five fields: minute (0-59), hour (0-23), day (1-31), month (1-12), weekday (0-7), "
            "and a time that there is, as in `0 3 * * *`"
        )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        known = zoneinfo.available_timezones()
        if zone not in known:
            near = difflib.get_close_matches(zone, sorted(known), n=1)
            raise ValueError(
                f"is {shown(zone)}, should be a time zone such as Europe/Paris"
                + (f"; did you mean {near[0]}?" if near else "")
            )
        return zone
