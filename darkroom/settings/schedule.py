"""Settings of `make schedule`."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import Section


class Schedule(Section):
    """When the line retrains by itself."""

    cron: Annotated[str, Field(min_length=1)] = "0 3 * * *"
    """When `make schedule` retrains, in cron's five fields."""
    timezone: Annotated[str, Field(min_length=1)] = "UTC"
    """The time zone of `cron`, as in `Europe/Paris`."""
