"""`make doctor`: is all there that the next run needs? A line for each thing, and what to do about it.

The flow `doctor` of the schedule looks at the same (`flows.doctor`).
"""

import itertools
import json
import os
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cronsim import CronSim

from darkroom import registry
from darkroom.registry.published import linked, verify
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import LINE_LOCK, holder
from darkroom.runtime.stage import user_errors
from darkroom.runtime.text import count
from darkroom.settings.base import read_section
from darkroom.settings.schedule import Schedule
from flows import dvc, server
from flows.crashed import NAME
from flows.lock import UNFINISHED
from flows.processes import end_children_on_signals

# Bytes that should be free: a line of some thousand photographs writes about a gigabyte.
FREE = 2_000_000_000
# How many missing packages are named.
NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Attributes:
        about: the thing.
        words: how it is.
        remedy: what to do; empty where nothing has to be done.
    """

    about: str
    words: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'problem' if self.remedy else 'well':<8} {self.about:<10} {self.words}"
        return f"{line}: {self.remedy}" if self.remedy else line


def diagnose() -> list[Finding]:
    """Look at everything; what can't be looked at is a finding, too."""
    found = []
    for about, look in CHECKS.items():
        try:
            words, remedy = look()
        except (DarkroomError, OSError) as error:
            words, remedy = str(error), "see the runbook"
        found.append(Finding(about, words, remedy))
    return found


def _packages() -> tuple[str, str]:
    module = runpy.run_path(".ci/installed.py")
    lock = Path("requirements.txt")
    missing = [each for file in module["locks"](lock) for each in module["locked"](file) if not module["has"](each)]
    if not missing:
        return "those of requirements.txt", ""
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    names = ", ".join(str(each) for each in missing[:NAMED]) + more
    return (
        f"not those of requirements.txt: {names}",
        "`python .ci/install.py requirements.txt`, or `make run`, installs them",
    )


def _cache() -> tuple[str, str]:
    folder = Path(dvc.ask("cache", "dir").strip())
    if not folder.exists():
        return f"{folder} is not there yet: the first run makes it", ""
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} can't be written", "give this user the right to, or set another with `dvc cache dir`"
    return f"{folder} can be written", ""


def _remote() -> tuple[str, str]:
    if not dvc.ask("remote", "list").strip():
        return "none is set: the data is on this machine alone", ""
    try:
        waiting = set(json.loads(dvc.ask("status", "--cloud", "--json")).values()) - {"deleted"}
    except DarkroomError as error:
        return str(error), "check the network, the address (`dvc remote list`) and the keys"
    return (
        ("answers, and has not all of this version", "`dvc push`") if waiting else ("answers, and has this version", "")
    )


def _disk() -> tuple[str, str]:
    free = shutil.disk_usage(".").free
    words = f"{free / 1e9:,.1f} GB free"
    return words, "" if free >= FREE else f"make room for {FREE / 1e9:.0f} GB: `dvc gc -w` drops what no commit needs"


def _line() -> tuple[str, str]:
    if at_work := holder(LINE_LOCK):
        return f"at work: {at_work}", ""
    if UNFINISHED.exists():
        return "the run before failed or was killed", "`make run` goes on where it stopped"
    return "no run is at work", ""


def _champion() -> tuple[str, str]:
    root = Path()
    champion, link = registry.champion(root), linked(root)
    if champion is None:
        return "none yet: `make retrain` makes a candidate", ""
    if link != champion.number:
        return (
            f"{champion.number}, but models/serving/current leads to {link}",
            f"`make rollback VERSION={champion.number}`",
        )
    verify(root, champion.number)
    return f"{champion.number}, whole, and what models/serving/current leads to", ""


def _schedule() -> tuple[str, str]:
    at_work = holder(server.SCHEDULE_LOCK)
    if at_work is None:
        return "not at work: `make schedule` starts it", ""
    address = server.running()
    if address is None:
        return (
            f"{at_work}, and its server does not answer",
            "wait a minute, in which it is started again; then see server.log",
        )
    return f"{at_work}, at {address}", ""


def _last_run() -> tuple[str, str]:
    there = server.running()
    if not there:
        return "not known without a server", ""
    # Before Prefect is imported, which reads it.
    os.environ["PREFECT_API_URL"] = there
    last, good = _runs(["COMPLETED", "FAILED", "CRASHED"]), _runs(["COMPLETED"])
    if last is None:
        return "no retraining has ended yet", ""
    (state, message, _), at = last, f"{good[2]:%Y-%m-%d %H:%M} UTC" if good else "never"
    if state != "COMPLETED":
        return (
            f"the last retraining ended as {state}: {message}; the last good one: {at}",
            "`make retrain` tries it again",
        )
    assert good
    late = _longest_pause(read_section(Schedule)) + timedelta(hours=1)
    if datetime.now(UTC) - good[2] > late:
        return f"the last good retraining was at {at}, and one was due since", "is `make schedule` at work?"
    return f"a good retraining at {at}: {message}", ""


def _runs(states: list[str]) -> tuple[str, str, datetime] | None:
    """State, message and end of the newest run of the retraining that ended in one of these states."""
    from prefect import get_client
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterName,
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["retrain"])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[NAME])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": states}}}),
            sort=FlowRunSort.END_TIME_DESC,
            limit=1,
        )
    if not runs or runs[0].state is None or runs[0].end_time is None:
        return None
    return runs[0].state.type.value, (runs[0].state.message or "").split("\n")[0], runs[0].end_time


def _longest_pause(settings: Schedule) -> timedelta:
    """Between two times that the cron is due, of the next ten."""
    cron = CronSim(settings.cron, datetime.now(UTC))
    times = [next(cron) for _ in range(10)]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


CHECKS: dict[str, Callable[[], tuple[str, str]]] = {
    "packages": _packages,
    "disk": _disk,
    "cache": _cache,
    "remote": _remote,
    "line": _line,
    "champion": _champion,
    "schedule": _schedule,
    "last run": _last_run,
}


def main() -> None:
    end_children_on_signals()
    with user_errors():
        found = diagnose()
        print("\n".join(map(str, found)))
        if problems := sum(bool(each.remedy) for each in found):
            raise DarkroomError(count(problems, "problem"))


if __name__ == "__main__":
    main()
