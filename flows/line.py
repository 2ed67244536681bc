"""The line as Prefect flows, with a task for each stage; DVC decides what there is to do.

Nothing is cached or repeated by Prefect: DVC knows what is stale, and a training that failed fails again. What went wrong
comes back as a failed state with the stage's own message, which Prefect logs without a traceback.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from darkroom.diff import compare, read_state, to_markdown
from darkroom.evaluation.headline import read_headline
from darkroom.images.manifest import MANIFEST_FOLDER
from darkroom.runtime.disk import disk_errors
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import BUNDLE
from darkroom.runtime.revisions import WORKSPACE
from darkroom.settings.read import read_params
from flows import dvc
from flows.lock import line_lock
from flows.summary import METRICS, REPORT, headline


@task(cache_policy=NO_CACHE, task_run_name="{stage}")
def bring_up_to_date(stage: str) -> State[Any]:
    """Let DVC bring one stage up to date; what it prints goes to the run's log line by line."""
    try:
        dvc.bring_up_to_date(stage, get_run_logger().info)
    except DarkroomError as error:
        return Failed(message=str(error))
    return Completed(message=f"{stage} is up to date")


def _is_news(record: logging.LogRecord) -> bool:
    """Prefect reports a failed task twice, and the first time with an empty traceback: "NoneType: None"."""
    return not record.getMessage().startswith("Task run failed with state")


def bring_line_up_to_date() -> None:
    """Every stage in order, as a task of the flow run that calls this, which holds the line's lock.

    Raises:
        DarkroomError: when the settings are wrong, with the first stage that stops, or when DVC still finds something to do.
    """
    read_params()
    logging.getLogger("prefect.task_runs").addFilter(_is_news)
    for stage in dvc.stages_in_order():
        state = bring_up_to_date(stage, return_state=True)
        if not state.is_completed():
            raise DarkroomError(state.message or f"stage {stage} ended as {state.name}")
    if not dvc.is_up_to_date():
        raise DarkroomError("something changed while the line ran: `dvc status` names it; run it again")


def publish_summary() -> str:
    """Publish the headline, the data behind it and where things are, as the artifact `darkroom-run`.

    Returns:
        The same in plain lines.
    """
    version = read_headline(METRICS).provenance["data_version"]
    accuracy = headline(read_params().evaluate.confidence)
    create_markdown_artifact(
        f"**Test accuracy {accuracy}**\n\n- data version `{version}`\n- report `{REPORT}`\n- bundle `{BUNDLE}`\n",
        key="darkroom-run",
        description="What the line made",
    )
    return f"test accuracy {accuracy}\ndata version {version}\nreport {REPORT}\nbundle {BUNDLE}"


@flow(name="darkroom")
def line() -> State[Any]:
    """Bring the whole line up to date and publish what came of it."""
    with line_lock("make flow", get_run_logger().info):
        try:
            with disk_errors():
                bring_line_up_to_date()
                return Completed(message=publish_summary())
        except DarkroomError as error:
            return Failed(message=str(error))


@flow(name="retrain")
def retrain() -> State[Any]:
    """Bring the line up to date with whatever the source holds by now, and publish what it made and what changed.

    The survey looks at the source each time, so new, changed and removed images are ingested; where there are none and no
    setting changed, nothing else runs. The artifacts are `darkroom-run` and `darkroom-changes`.
    """
    with line_lock("a run of make schedule", get_run_logger().info):
        return _retrain()


def _retrain() -> State[Any]:
    try:
        with disk_errors():
            return Completed(message=_retrain_and_publish())
    except DarkroomError as error:
        return Failed(message=str(error))


def _retrain_and_publish() -> str:
    before = read_state(WORKSPACE) if Path(MANIFEST_FOLDER).exists() else None
    bring_line_up_to_date()
    after = read_state(WORKSPACE)
    if before:
        changes = to_markdown(compare(replace(before, name="before"), replace(after, name="now")))
    else:
        changes = f"The first run here: {len(after.images):,} images, and nothing to compare them with.\n"
    get_run_logger().info("what changed:\n%s", changes)
    create_markdown_artifact(changes, key="darkroom-changes", description="Against the run before")
    return publish_summary()
