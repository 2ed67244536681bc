"""Retraining: bring the line up to date with whatever the source holds by now, and report what changed.

The survey looks at the source each time, so new, changed and removed images are taken in; where there are none and no setting
moved, nothing else runs.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State as FlowState
from prefect.states import Completed, Failed

from darkroom.diff import compare, read_state, to_markdown
from darkroom.images.manifest import MANIFEST_FOLDER
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import WORKSPACE
from flows.line import bring_line_up_to_date, publish_summary


@flow(name="retrain")
def retrain() -> FlowState[Any]:
    """Bring the line up to date; publish what it made (`darkroom-run`) and what changed (`darkroom-changes`)."""
    try:
        before = read_state(WORKSPACE) if Path(MANIFEST_FOLDER).exists() else None
        bring_line_up_to_date()
        after = read_state(WORKSPACE)
    except DarkroomError as error:
        return Failed(message=str(error))
    if before:
        changes = to_markdown(compare(replace(before, name="before"), replace(after, name="now")))
    else:
        changes = f"The first run here: {len(after.images):,} images, and nothing to compare them with.\n"
    get_run_logger().info("what changed:\n%s", changes)
    create_markdown_artifact(changes, key="darkroom-changes", description="Against the run before")
    return Completed(message=publish_summary())
