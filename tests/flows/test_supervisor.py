"""Server, runner and schedule are killed during a run: one of each is there again, and nothing is left of the old ones."""

import random
import signal
import time
from collections.abc import Iterator

import pytest

from flows import orphans
from flows.server import SCHEDULE_LOCK
from tests.support.repository import HANGS, Repository, wait_for
from tests.support.scheduled import Scheduled

pytestmark = pytest.mark.xdist_group("prefect")


@pytest.fixture
def kills(ran: Repository) -> Iterator[Scheduled]:
    ran.set("epochs", HANGS)
    ran.git("commit", "--quiet", "--all", "--message=long")
    made = Scheduled(ran.root, ran.start)
    yield made
    made.schedule.send_signal(signal.SIGTERM)
    made.schedule.communicate()
    assert not orphans.marked(f"{(ran.root / SCHEDULE_LOCK).resolve()}:")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["server", "runner", "watchman", "run", "training", "schedule"])
def test_after_a_kill_there_is_one_of_each_and_no_run_that_nobody_runs(
    kills: Scheduled, victim: str, ran: Repository
) -> None:
    kills.start_run()
    time.sleep(5 * random.Random(victim).random())
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
        wait_for(lambda: kills.are(["CRASHED"] * (victim != "training")), patience=150)
        wait_for(lambda: not kills.processes("run") and not kills.processes("training"))
    # What is running has a process, and what has none is not.
    wait_for(lambda: kills.states().count("RUNNING") == len(kills.processes("training")), patience=150)
