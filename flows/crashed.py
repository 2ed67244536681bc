"""Runs whose process is gone are crashed, also where nobody was left to say so to Prefect's server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from darkroom.runtime.files import read_json, whole_file, write_json
from flows import orphans

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

# The name of all deployments of a schedule; each flow has one.
NAME = "scheduled"

# Seconds without a process, after which a run counts as crashed: one that is just starting has none yet.
GONE = 60.0
# Prefect's own, in the environment of a run.
RUN_ID = "PREFECT__FLOW_RUN_ID"


def runs_at_work(mark: str) -> set[UUID]:
    """The ids of the runs that have a process with a mark."""
    return {UUID(environment[RUN_ID]) for environment in orphans.marked(mark).values() if RUN_ID in environment}


class Runs:
    """The runs of a schedule, and since when each is missing.

    Args:
        file: where the ids of runs that were at work here are remembered, since this process may be killed, too.
        ours: whether the server is this schedule's own. On one of somebody else's, runs that were never at work here are not
            looked at: they may be on another machine.
    """

    def __init__(self, file: Path, ours: bool) -> None:
        self._file, self._ours = file, ours
        self._known = {UUID(run) for run in read_json(file)} if file.exists() else set()
        self._missing: dict[UUID, float] = {}

    def mark_crashed(self, at_work: set[UUID], gone: float = GONE) -> None:
        """Mark those that the server takes for pending or running, and that are at work nowhere.

        Args:
            at_work: those that have a process here.
            gone: seconds that one must have been without; 0 where no runner is there that could be starting it.
        """
        self.remember(at_work)
        try:
            open_runs = _open_runs()
            now = time.monotonic()
            candidates = (open_runs if self._ours else open_runs & self._known) - at_work
            self._missing = {run: self._missing.get(run, now) for run in candidates}
            for run, since in list(self._missing.items()):
                if now - since >= gone:
                    _mark(run)
                    print(f"run {run} has no process any more: it is marked as crashed", flush=True)
            if self._known - open_runs - at_work:
                self._known &= open_runs | at_work
                self._write()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500:
                raise
            # The server is busy or away: it is asked again soon.

    def remember(self, at_work: set[UUID]) -> None:
        """Know from now on that these are of this schedule."""
        if at_work - self._known:
            self._known |= at_work
            self._write()

    def _write(self) -> None:
        with whole_file(self._file) as partial:
            write_json(partial, sorted(str(run) for run in self._known))


def _open_runs() -> set[UUID]:
    """Runs of the schedule's deployments that have begun and, as far as the server knows, have not ended."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    begun = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
    with _client() as client:
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[NAME])),
            flow_run_filter=FlowRunFilter.model_validate(begun),
            # Its defaults are none, which the server refuses.
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=200,
        )
        return {run.id for run in runs}


def _mark(run: UUID) -> None:
    from prefect.client.schemas.objects import State
    from prefect.states import Crashed

    with _client() as client:
        state: State[None] = Crashed(message="Its process is gone: it was killed, or it lost Prefect's server.")
        client.set_flow_run_state(run, state, force=True)


@contextmanager
def _client() -> Iterator["SyncPrefectClient"]:
    """One that gives up soon: whoever asks has other things to look after, and asks again."""
    from prefect import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: 10.0}),
        get_client(sync_client=True) as client,
    ):
        yield client
