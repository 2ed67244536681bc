"""The flow `doctor`: what the schedule needs is looked at, and a problem fails its run before it stops a retraining."""

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from darkroom.drawing.markdown import table
from flows.diagnosis import diagnose


@flow(name="doctor")
def doctor() -> State[Any]:
    """Look at packages, disk, cache, remote, locks, the champion and the last retraining."""
    found = diagnose()
    for each in found:
        get_run_logger().info(str(each))
    rows = [[each.about, each.words, each.remedy] for each in found]
    create_markdown_artifact(
        table(["", "Found", "What to do"], rows, "---"),
        key="darkroom-doctor",
        description="What this machine and folder need for the next run",
    )
    if problems := [each for each in found if each.remedy]:
        return Failed(message="; ".join(f"{each.about}: {each.words}: {each.remedy}" for each in problems))
    return Completed(message="all is well")
