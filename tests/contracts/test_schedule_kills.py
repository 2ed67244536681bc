"""A schedule and its retraining killed at random moments: the link stays whole, and a minute later all is in order again.

`DARKROOM_KILLS=30 .venv/bin/python -m pytest -s tests/contracts/test_schedule_kills.py` kills thirty times, and prints for each
how many seconds passed until one server that answers and one runner were there, and how many seconds of a processor those
took; `DARKROOM_KILLS_SEED=1` chooses other moments.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from darkroom.registry.moves import FOLDER as MOVES
from darkroom.registry.published import linked, verify
from darkroom.runtime.git import git
from darkroom.runtime.lock import holder
from flows import orphans
from flows.server import SCHEDULE_LOCK, is_healthy
from tests.flows.test_retrain import Clone
from tests.support.scheduled import Scheduled

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]

KILLS = int(os.environ.get("DARKROOM_KILLS") or 1)
SEED = int(os.environ.get("DARKROOM_KILLS_SEED") or 0)
# `publishing` is the run, while its bundle is being published; `stage` is any process that the run has started.
VICTIMS = ("server", "publishing", "supervisor", "stage", "runner", "run")
# Within how many seconds of a run's life the moments are.
LONGEST = 25.0


class Killed:
    """A clone in which every new setting gives a candidate that is promoted, and a schedule at work in it."""

    def __init__(self, clone: Clone) -> None:
        self.root = clone.root
        self._clone = clone
        self._rate = 0
        clone.commit(("margin: 0.01", "margin: 0.4"), ("class_margin: 0.05", "class_margin: 0.49"),
                     ("calibration_margin: 0.02", "calibration_margin: 0.49"),
                     ("max_slowdown: 2.0", "max_slowdown: 50.0"))  # fmt: skip
        assert clone.retrain().startswith("promoted, v1.0.0: ")
        del clone.environment["PREFECT_API_URL"]
        self.schedule = Scheduled(clone.root, self._start)
        self._since: dict[UUID, float] = {}
        self.longest_lost = 0.0

    def _start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        with (self.root.parent / "printed").open("a") as printed:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=self.root, env=self._clone.environment | environment,
                stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, text=True, start_new_session=True,
            )  # fmt: skip

    def request(self) -> None:
        """Ask for a retraining with a setting that none had, where none is at work."""
        if not self.schedule.processes("run"):
            before, self._rate = self._rate, self._rate + 1
            self._clone.commit((f"learning_rate: 0.003{before or ''}", f"learning_rate: 0.003{self._rate}"))
            self.schedule.request_run()

    def state(self) -> tuple[object, ...]:
        """All of git that is the user's."""
        return (
            (self.root / ".git/HEAD").read_text(), git(self.root, "rev-parse", "main"), (self.root / ".git/index").read_bytes(),
            git(self.root, "status", "--porcelain"), git(self.root, "stash", "list"),
        )  # fmt: skip

    def is_whole(self) -> bool:
        """One server that answers, and one runner."""
        parts = [len(self.schedule.processes(part)) for part in ("server", "runner")]
        return parts == [1, 1] and is_healthy(self.schedule.api)

    def wait_until(self, what: Callable[[], object], patience: float) -> bool:
        """Whether it came, and meanwhile look for runs that are gone and still running by the server's books."""
        latest = time.monotonic() + patience
        while time.monotonic() < latest:
            with contextlib.suppress(OSError, ValueError, psutil.Error):
                now = time.monotonic()
                self._since = {run: self._since.get(run, now) for run in self.schedule.lost()}
                self.longest_lost = max([self.longest_lost, *(now - since for since in self._since.values())])
            with contextlib.suppress(OSError, psutil.Error):
                if what():
                    return True
            time.sleep(0.1)
        return False

    def is_publishing(self) -> bool:
        # Not by what lies in `models/serving`: a publication that was killed leaves its part there.
        return holder(self.root / MOVES / "lock") is not None

    def victim(self, part: str, rng: random.Random) -> psutil.Process | None:
        """The process to kill, at its moment; None where it is gone already."""
        self.wait_until(lambda: self.schedule.processes("run"), patience=120)
        if part == "publishing":
            # Without a look at the server's books in between: a publication may be over in less than that takes.
            while self.schedule.processes("run") and not self.is_publishing():
                time.sleep(0.01)
            time.sleep(0.5 * rng.random())
        else:
            time.sleep(LONGEST * rng.random())
        if part == "supervisor":
            return psutil.Process(self.schedule.schedule.pid)
        found = self.schedule.processes("run" if part in ("publishing", "stage") else part)
        with contextlib.suppress(psutil.Error):
            if part == "stage" and found:
                found = found[0].children(recursive=True)
            return rng.choice(found) if found else None
        return None

    def processor_seconds(self, since: float) -> float:
        """What schedule, server and runner have used that were started since."""
        total = 0.0
        processes = [psutil.Process(self.schedule.schedule.pid)]
        for process in [*processes, *self.schedule.processes("server"), *self.schedule.processes("runner")]:
            with contextlib.suppress(psutil.Error):
                if process.create_time() >= since:
                    total += process.cpu_times().user + process.cpu_times().system
        return total


@pytest.fixture
def killed(tmp_path: Path, user_environment: dict[str, str], prefect_api: str) -> Iterator[Killed]:
    made = Killed(Clone(tmp_path / "darkroom", dict(user_environment), prefect_api))
    yield made
    made.schedule.schedule.terminate()
    made.schedule.schedule.communicate()
    assert not orphans.marked(f"{(made.root / SCHEDULE_LOCK).resolve()}:")


def test_whatever_is_killed_the_link_is_whole_and_there_is_one_of_each(killed: Killed) -> None:
    rng = random.Random(SEED)
    for number in range(KILLS):
        killed.request()
        before = killed.state()
        part = VICTIMS[number % len(VICTIMS)]
        victim = killed.victim(part, rng)
        at, started = time.time(), time.monotonic()
        name = " ".join(victim.cmdline()[1:4]) if victim else "nothing: it had ended"
        if victim:
            victim.kill()
        if part == "supervisor":
            killed.schedule.schedule.communicate()
            killed.schedule.begin()
        assert killed.wait_until(killed.is_whole, patience=180), (killed.root.parent / "printed").read_text()
        seconds, used = time.monotonic() - started, killed.processor_seconds(at)
        version = linked(killed.root)
        assert version
        verify(killed.root, version)
        assert killed.state() == before
        print(
            f"kill {number + 1}: {part} ({name}): one of each after {seconds:.1f} s, {used:.1f} s of a processor, "
            f"load {os.getloadavg()[0]:.0f}; link whole at {version}, git as before",
            flush=True,
        )
    assert killed.wait_until(lambda: not killed.schedule.lost(), patience=300)
    print(f"{KILLS} kills: no run was running without a process for more than {killed.longest_lost:.0f} s")
