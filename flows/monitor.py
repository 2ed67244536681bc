"""The flow `monitor`: one look at the prediction log, an alert where something shifted, a retraining where labels are enough.

Each alarm is an event `darkroom.monitor.alarm`, and a message of the notification block `monitor.notify` where one is
set; one that goes on is sent again after `monitor.cooldown` hours.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed

from darkroom.labels.queue_labels import TAKEN, new_labels
from darkroom.monitor.status import Status
from darkroom.monitor.watch import REPORTS, default_bundle, mark_sent, watch
from darkroom.monitoring.log_copy import local_log
from darkroom.runtime.disk import disk_errors
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.object_store import is_url
from darkroom.settings.base import read_section
from darkroom.settings.monitor import Monitor
from darkroom.settings.registry import Registry
from flows.crashed import NAME

RESOURCE = {"prefect.resource.id": "darkroom.monitor", "prefect.resource.name": "monitor"}


@flow(name="monitor")
def monitor(log: str | None = None, bundle: str | None = None) -> State[Any]:
    """Read what the service answered since the last run, and say whether it has shifted.

    Args:
        log: the prediction log; empty: `monitor.log` of params.yaml.
        bundle: whose answers; empty: models/serving/current where there is one, else models/export.
    """
    try:
        with disk_errors():
            settings = read_section(Monitor)
            retrain_with_labels(read_section(Registry).labels)
            # A schedule without a service that logs is no fault, and would fail every 15 minutes.
            if log is None and not is_url(settings.log) and not Path(settings.log).is_dir():
                return Completed(message=f"nothing to watch: no service writes a prediction log to {settings.log}")
            status = watch(local_log(log or settings.log), Path(bundle or default_bundle()), settings.run_length)
            create_markdown_artifact(_summary(status), key="darkroom-monitor", description="What the monitor found")
            if status.found and mark_sent(status.found, settings.cooldown, time.time()):
                send_alarm(status, settings.notify)
    except DarkroomError as error:
        return Failed(message=str(error))
    return Completed(message=status.sentence, name="Shifted" if status.kind else "Completed")


def send_alarm(status: Status, block: str | None) -> None:
    """Send an event, and notify where a block is set; that a message can't be sent is logged, and the run goes on.

    Raises:
        DarkroomError: when there is no such block.
    """
    emit_event("darkroom.monitor.alarm", resource=RESOURCE, payload=status.to_dict())
    if not block:
        return
    from prefect.blocks.abstract import NotificationBlock
    from prefect.blocks.core import Block

    try:
        found = Block.load(block)
    except ValueError as error:
        raise DarkroomError(f"monitor.notify is {block}, and Prefect has no such block: {error}") from None
    if not isinstance(found, NotificationBlock):
        raise DarkroomError(f"monitor.notify is {block}, which sends no messages: take a notification block")
    # Prefect's own blocks send at once; another one may give a coroutine, and there may be a loop in this thread already.
    sent: Any = found.notify(f"{status.sentence}\n{status.advice}", subject="Darkroom: the images have shifted")
    if inspect.isawaitable(sent):
        with ThreadPoolExecutor(1) as beside:
            beside.submit(asyncio.run, wait(sent)).result()
    get_run_logger().info("sent to %s", block)


def retrain_with_labels(enough: int) -> None:
    """Ask the schedule for a retraining where so many labels are new; once a day until a retraining has taken them.

    Args:
        enough: how many; 0 never asks.
    """
    waiting = new_labels(Path())
    if not enough or waiting < enough:
        return
    taken = file_hash(TAKEN) if TAKEN.is_file() else ""
    day = datetime.now(UTC).date()
    try:
        run_deployment(
            f"retrain/{NAME}",
            parameters={"reason": f"{waiting} new labels"},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"labels-{taken}-{day}",
        )
    except ObjectNotFound:
        get_run_logger().info("%d new labels wait: `make retrain` takes them, and so does `make schedule`", waiting)


async def wait(sent: Awaitable[None]) -> None:
    """Until a message is sent."""
    await sent


def _summary(status: Status) -> str:
    lines = [f"**{status.sentence}**"]
    if status.kind:
        lines.append(f"{status.kind.name}: {status.advice}")
    return "\n\n".join([*lines, f"page `{REPORTS / 'index.html'}`"])
