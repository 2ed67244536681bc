"""Settings of `make retrain`: where it starts, when, and whether what it makes leaves the machine."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import MOST_IMAGES, Section


class Registry(Section):
    """Where candidates come from, and where they go."""

    branch: Annotated[str, Field(min_length=1)] | None = None
    """The branch whose last commit `make retrain` works on. Empty: the one that is checked out."""
    labels: Annotated[int, Field(ge=0, le=MOST_IMAGES)] = 60
    """New labels of the queue with which `make schedule` retrains at once. 0: only by its cron."""
    push: bool = True
    """Push candidates, data and tags, and open a pull request, where git and DVC have a remote."""
