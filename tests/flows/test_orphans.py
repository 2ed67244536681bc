"""What lost its parent is ended, and so is everything when the schedule itself is killed; what is in order is left alone."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows import orphans
from tests.conftest import ROOT
from tests.support.repository import ended, wait_for

SLEEPS = "import time; time.sleep(600)"
# Starts one that sleeps, prints its number, and sleeps too.
HAS_CHILD = f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "{SLEEPS}"], start_new_session=True).pid, flush=True)
time.sleep(600)
"""
SCHEDULE = f"""
import subprocess, sys, time
from pathlib import Path
from flows import orphans
watchman = orphans.Watchman(orphans.mark_children(Path("lock")))
child = subprocess.Popen([sys.executable, "-c", '''{HAS_CHILD}'''], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), watchman._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(orphans.SUPERVISED_BY, "")
    return orphans.mark_children(tmp_path / "lock")


def start_family() -> "tuple[subprocess.Popen[str], psutil.Process]":
    parent = subprocess.Popen([sys.executable, "-c", HAS_CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    return parent, psutil.Process(int(parent.stdout.readline()))


def test_who_lost_its_parent_is_ended_and_who_has_one_is_not(mark: str) -> None:
    lost, lost_child = start_family()
    parent, child = start_family()
    lost.kill()
    lost.wait()
    try:
        assert orphans.end_orphans(mark) == 1
        assert ended(lost_child) and not ended(child)
        assert orphans.end_orphans(mark) == 0
    finally:
        assert orphans.end_all(mark) == 2
    parent.wait()
    assert ended(child)


def test_another_schedules_processes_are_left_alone(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = orphans.mark_children(tmp_path / "other")
    parent, child = start_family()
    assert orphans.end_all(mark) == 0
    assert orphans.end_all(f"{(tmp_path / 'other').resolve()}:") == 2
    assert ended(child) and other != mark
    parent.wait()


def test_nothing_survives_a_killed_schedule(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    schedule = subprocess.Popen(
        [sys.executable, "-c", SCHEDULE], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert schedule.stdout
    family = [psutil.Process(int(number)) for number in schedule.stdout.readline().split()]
    schedule.kill()
    schedule.wait()
    wait_for(lambda: all(ended(process) for process in family))
