"""Settings of `make monitor`: which log it watches, how rare false alarms are, whom it notifies."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import PathText, Section


class Monitor(Section):
    """What watches the answers in service."""

    log: PathText = "log"
    """The folder of the prediction log, which the service writes with `--prediction-log`; or its URL, `s3://bucket/log`."""
    run_length: Annotated[int, Field(ge=1_000, le=10**12)] = 1_000_000
    """Images between false alarms, on average, at least. Ten times as many find a shift some 5 to 20% later."""
    cooldown: Annotated[float, Field(ge=0, le=8760)] = 24.0
    """Hours before an alarm that goes on is sent again."""
    notify: Annotated[str, Field(min_length=1)] | None = None
    """A notification block of Prefect, as `slack-webhook/team`, which gets each alarm; events are sent in any case."""
