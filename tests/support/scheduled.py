"""A schedule in a folder: its processes, its server, and what that has in its books."""

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from flows import crashed
from flows.server import SCHEDULE_ADDRESS, SCHEDULE_LOCK
from tests.support.repository import wait_for

# Seconds between two looks at what is due; ten by default.
QUICK = {"PREFECT_RUNNER_POLL_FREQUENCY": "1"}


def ask(api: str, path: str, **filters: object) -> Any:
    request = urllib.request.Request(
        f"{api}/{path}", data=json.dumps(filters).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def served(api: str) -> dict[str, Any] | None:
    """The deployments by the names of their flows, once all are there."""
    names = {flow["id"]: flow["name"] for flow in ask(api, "flows/filter")}
    found = {names[deployment["flow_id"]]: deployment for deployment in ask(api, "deployments/filter")}
    return found if len(found) == 3 else None


PARTS = {
    "server": "-m prefect server start",
    "runner": "-m flows.deployments",
    "run": "-m prefect.",
    "training": "python train.py",
    "stage": "-m stages.",
    "watchman": "-m flows.orphans",
}


class Scheduled:
    """A schedule at work in a folder, and its processes by what they are.

    Args:
        root: the folder.
        start: starts Python there with some arguments, with output nobody reads.
    """

    def __init__(self, root: Path, start: Callable[..., "subprocess.Popen[str]"]) -> None:
        self.root, self._start = root, start
        self.begin()

    def begin(self) -> None:
        self.schedule = self._start("-m", "flows.schedule", **QUICK)
        self.api = wait_for(lambda: self._address_of(self.schedule.pid), patience=120)

    def _address_of(self, pid: int) -> str | None:
        """The server's address, once this schedule has written it."""
        holder = (self.root / SCHEDULE_LOCK).read_text()
        alive = self.processes("runner") and f"process {pid}," in holder
        return (self.root / SCHEDULE_ADDRESS).read_text() if alive else None

    def processes(self, part: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                words = process.cmdline()
                # A stage of a retraining is at work in a worktree below it.
                inside = Path(process.cwd()).is_relative_to(self.root)
                here = inside and process.status() != psutil.STATUS_ZOMBIE
                # The shell that DVC starts a stage with has its command in its own.
                if here and words and not words[0].endswith("sh") and PARTS[part] in " ".join(words):
                    found.append(process)
        return found

    def ask(self, path: str, **filters: object) -> Any:
        return ask(self.api, path, **filters)

    def states(self) -> list[str]:
        states = {"state": {"type": {"any_": ["RUNNING", "CRASHED"]}}}
        return sorted(run["state_type"] for run in self.ask("flow_runs/filter", flow_runs=states))

    def are(self, states: list[str]) -> bool:
        return self.states() == states

    def lost(self) -> set[UUID]:
        """The runs that are running by the server's books, and have no process."""
        running = self.ask("flow_runs/filter", flow_runs={"state": {"type": {"any_": ["RUNNING"]}}})
        return {UUID(run["id"]) for run in running} - crashed.runs_at_work(f"{(self.root / SCHEDULE_LOCK).resolve()}:")

    def request_run(self) -> None:
        deployment = wait_for(lambda: served(self.api))["retrain"]["id"]
        wait_for(lambda: self.ask(f"deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"}))

    def start_run(self) -> None:
        self.request_run()
        wait_for(lambda: self.processes("training"), patience=120)
