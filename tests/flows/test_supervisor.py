"""Server, runner and schedule are killed at random moments: one of each is there again, and nothing is left of the old ones."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from darkroom.runtime.errors import DarkroomError
from flows import orphans, supervisor
from flows.server import SCHEDULE_ADDRESS, SCHEDULE_LOCK
from tests.flows.test_schedule import QUICK, ask, served
from tests.support.repository import HANGS, Repository, wait_for

pytestmark = pytest.mark.xdist_group("prefect")


def start(*code: str) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-c", *code])
    child.wait()
    return child


def test_a_program_that_only_fails_ends_the_schedule_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=time.monotonic, sleep=paused.append))
    program = supervisor.Program("runner", lambda: start("import sys; sys.exit(3)"))
    for _ in range(supervisor.ATTEMPTS - 1):
        assert program.revive()
    with pytest.raises(DarkroomError, match=r"^the runner ended by itself 5 times in a row, last with status 3"):
        program.revive()
    assert paused == [1, 2, 4, 8]


def test_a_program_that_is_killed_is_started_again_however_often(capsys: pytest.CaptureFixture[str]) -> None:
    program = supervisor.Program("server", lambda: start("import os; os.kill(os.getpid(), 9)"))
    assert all(program.revive() for _ in range(supervisor.ATTEMPTS + 1))
    assert capsys.readouterr().out.startswith("the server was killed by signal 9: starting it again\n")


def test_a_program_that_is_killed_while_it_comes_up_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None))
    program = supervisor.Program("server", lambda: start("import os; os.kill(os.getpid(), 9)"))
    attempts = []

    def come_up_the_second_time() -> "subprocess.Popen[bytes]":
        attempts.append(1)
        if len(attempts) == 1:
            raise DarkroomError("it did not come up")
        return start("pass")

    program._start = come_up_the_second_time
    assert program.revive() and program.process.returncode == 0


def test_a_program_that_never_comes_up_ends_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None))
    program = supervisor.Program("server", lambda: start("import os; os.kill(os.getpid(), 9)"))
    attempts = []

    def fail() -> "subprocess.Popen[bytes]":
        attempts.append(1)
        raise DarkroomError("it did not come up")

    program._start = fail
    with pytest.raises(DarkroomError, match="it did not come up"):
        program.revive()
    assert len(attempts) == supervisor.ATTEMPTS


def test_a_program_at_work_is_left_alone() -> None:
    program = supervisor.Program(
        "runner", lambda: subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    )
    assert not program.revive()
    program.process.kill()
    program.process.wait()


PARTS = {
    "server": "-m prefect server start",
    "runner": "-m flows.deployments",
    "run": "-m prefect.",
    "training": "python train.py",
    "watchman": "-m flows.orphans",
}


class Kills:
    """A schedule with a run that hangs in its training, and its processes by what they are."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.begin()

    def begin(self) -> None:
        self.schedule = self._repository.start("-m", "flows.schedule", **QUICK)
        self.api = wait_for(lambda: self._address_of(self.schedule.pid), patience=120)

    def _address_of(self, pid: int) -> str | None:
        """The server's address, once this schedule has written it."""
        holder = (self._repository.root / SCHEDULE_LOCK).read_text()
        alive = self.processes("runner") and f"process {pid}," in holder
        return (self._repository.root / SCHEDULE_ADDRESS).read_text() if alive else None

    def processes(self, part: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                words = process.cmdline()
                # A stage of a retraining is at work in a worktree below it.
                inside = Path(process.cwd()).is_relative_to(self._repository.root)
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

    def start_run(self) -> None:
        deployment = wait_for(lambda: served(self.api))["retrain"]["id"]
        wait_for(lambda: self.ask(f"deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"}))
        wait_for(lambda: self.processes("training"), patience=120)


@pytest.fixture
def kills(ran: Repository) -> Iterator[Kills]:
    ran.set("epochs", HANGS)
    ran.git("commit", "--quiet", "--all", "--message=long")
    made = Kills(ran)
    yield made
    made.schedule.send_signal(signal.SIGTERM)
    made.schedule.communicate()
    assert not orphans.marked(f"{(ran.root / SCHEDULE_LOCK).resolve()}:")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["server", "runner", "watchman", "run", "training", "schedule"])
def test_after_a_kill_there_is_one_of_each_and_no_run_that_nobody_runs(
    kills: Kills, victim: str, ran: Repository
) -> None:
    kills.start_run()
    rng = random.Random(victim)
    crashed = 0
    for _ in range(2):
        time.sleep(5 * rng.random())
        if victim == "schedule":
            kills.schedule.kill()
            kills.schedule.communicate()
            # Nothing of it is left, with nobody to start another.
            wait_for(lambda: not orphans.marked(f"{(ran.root / SCHEDULE_LOCK).resolve()}:"))
            kills.begin()
        else:
            (process,) = kills.processes(victim)
            process.kill()
            process.wait(10)
        wait_for(
            lambda: [len(kills.processes(part)) for part in ("server", "runner", "watchman")] == [1, 1, 1], patience=150
        )
        # A run goes on without the server for a while, and without the watchman; one whose training is killed has failed.
        if victim not in ("server", "watchman"):
            crashed += victim != "training"
            wait_for(partial(kills.are, ["CRASHED"] * crashed), patience=150)
            wait_for(lambda: not kills.processes("run") and not kills.processes("training"))
            kills.start_run()
    # What is running has a process, and what has none is not.
    wait_for(lambda: kills.states().count("RUNNING") == len(kills.processes("training")), patience=150)
