"""The line as a Prefect flow, with a task for each stage; DVC decides what there is to do.

Nothing is cached or repeated by Prefect: DVC knows what is stale, and a training that failed fails again. What went wrong
comes back as a failed state with the stage's own message, which Prefect logs without a traceback.
"""

import logging
from collections.abc import Callable
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from darkroom.evaluation.headline import read_headline
from darkroom.runtime.disk import disk_errors
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import BUNDLE
from darkroom.settings.read import read_params
from flows import dvc
from flows.look import Look
from flows.processes import Log
from flows.summary import METRICS, REPORT, headline


@task(cache_policy=NO_CACHE, task_run_name="{stage}")
def bring_up_to_date(stage: str, step: Callable[[str, Log], str]) -> State[Any]:
    """Bring one stage up to date; what it prints goes to the run's log line by line."""
    try:
        return Completed(message=step(stage, get_run_logger().info))
    except DarkroomError as error:
        return Failed(message=str(error))


def _is_news(record: logging.LogRecord) -> bool:
    """Prefect reports a failed task twice, and the first time with an empty traceback: "NoneType: None"."""
    return not record.getMessage().startswith("Task run failed with state")


class _Steps:
    """Stage after stage, with a DVC process for those alone that are out of date, or that depend on one that ran."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.inputs = dvc.inputs_of_stages()
        self.ran: set[str] = set()

    def __call__(self, stage: str, log: Log) -> str:
        if self._look.show(stage, log):
            return f"{stage} runs every time"
        is_due = stage in self._look.out_of_date or self.ran.intersection(self.inputs[stage])
        if is_due and dvc.bring_up_to_date(stage, log):
            self.ran.add(stage)
        return f"{stage} is up to date"


def bring_line_up_to_date(look: Look, after_stage: Callable[[str], None] = lambda stage: None) -> None:
    """Every stage in order, as a task of the flow run that calls this, which holds the line's lock.

    Args:
        look: at the line, which has begun.
        after_stage: called with the name of each stage when it is up to date.

    Raises:
        DarkroomError: when the settings are wrong, with the first stage that stops, or when DVC still finds something to do.
    """
    read_params()
    logging.getLogger("prefect.task_runs").addFilter(_is_news)
    steps = _Steps(look)
    for stage in steps.inputs:
        state = bring_up_to_date(stage, steps, return_state=True)
        if not state.is_completed():
            raise DarkroomError(state.message or f"stage {stage} ended as {state.name}")
        after_stage(stage)
    # Where nothing ran, the look has just said so.
    if steps.ran and not dvc.is_up_to_date():
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
        description="What the line made: accuracy, data, report and bundle",
    )
    return f"test accuracy {accuracy}\ndata version {version}\nreport {REPORT}\nbundle {BUNDLE}"


def run_line(look: Look) -> State[Any]:
    """The flow `darkroom`: bring the whole line up to date and publish what came of it, with the line's lock."""

    @flow(name="darkroom")
    def line() -> State[Any]:
        try:
            with disk_errors():
                bring_line_up_to_date(look)
                return Completed(message=publish_summary())
        except DarkroomError as error:
            return Failed(message=str(error))

    return line(return_state=True)
