"""The doctor has a line for each thing, and a remedy where something is wrong."""

import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.lock import LINE_LOCK, alone
from darkroom.settings.schedule import Schedule
from flows import diagnosis, dvc, server
from flows.diagnosis import Finding, diagnose
from flows.lock import UNFINISHED
from tests.conftest import ROOT
from tests.support.repository import Repository


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {each.about: each for each in found}


@pytest.fixture
def quick(here: Repository, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A repository, with the answers of DVC, which takes a second for each."""
    shutil.copytree(ROOT / ".ci", ".ci")
    shutil.copy(ROOT / "requirements.txt", "requirements.txt")
    answers = {"cache": f"{here.root}/.dvc/cache\n", "remote": "", "status": "{}"}
    monkeypatch.setattr(dvc, "ask", lambda command, *_: answers[command])
    return answers


def test_where_all_is_well_there_is_a_line_for_each_thing_and_no_remedy(quick: dict[str, str]) -> None:
    found = diagnose()
    assert [each.about for each in found] == list(diagnosis.CHECKS)
    assert not any(each.remedy for each in found), "\n".join(map(str, found))
    assert str(by_name(found)["remote"]) == "well     remote     none is set: the data is on this machine alone"


def test_what_is_wrong_has_a_remedy(quick: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    quick |= {"remote": "backup s3://x", "status": '{"data/ingest": "new"}', "cache": "/proc/1/cache"}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    with Path("requirements.txt").open("a") as lock:
        lock.write("numpy==0.1\n")
    UNFINISHED.parent.mkdir(parents=True, exist_ok=True)
    UNFINISHED.touch()
    found = by_name(diagnose())
    assert found["remote"].remedy == "`dvc push`"
    assert found["packages"].words == "not those of requirements.txt: numpy==0.1"
    assert found["disk"].words == "1.0 GB free" and found["disk"].remedy.startswith("make room for 2 GB")
    assert found["line"].remedy == "`make run` goes on where it stopped"


def test_a_run_at_work_is_named_and_no_problem(quick: dict[str, str]) -> None:
    with alone(LINE_LOCK, "at work", "make run"):
        found = by_name(diagnose())["line"]
    assert found.words.startswith("at work: make run, process ") and not found.remedy


def test_a_remote_out_of_reach_is_a_finding(quick: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(command: str, *_: str) -> str:
        if command == "status":
            raise DarkroomError("`dvc status` failed: no route to host")
        return quick[command] or "backup s3://x"

    monkeypatch.setattr(dvc, "ask", ask)
    found = by_name(diagnose())["remote"]
    assert found.words.endswith("no route to host") and found.remedy.startswith("check the network")


@pytest.mark.parametrize(
    ("last", "says", "remedy"),
    [
        (None, "no retraining has ended yet", False),
        (("CRASHED", "killed"), "the last retraining ended as CRASHED: killed; the last good one: never", True),
    ],
)
def test_the_last_retraining_is_looked_at(
    quick: dict[str, str], monkeypatch: pytest.MonkeyPatch, last: tuple[str, str] | None, says: str, remedy: bool
) -> None:
    def ended(states: list[str]) -> tuple[str, str, None] | None:
        return (*last, None) if last and last[0] in states else None

    monkeypatch.setattr(diagnosis, "_runs", ended)
    monkeypatch.setattr(server, "running", lambda: "http://127.0.0.1:9/api")
    found = by_name(diagnose())["last run"]
    assert found.words == says and bool(found.remedy) == remedy


def test_a_run_is_late_by_the_longest_pause_of_the_cron() -> None:
    assert diagnosis._longest_pause(Schedule(cron="0 3 * * 1-5")) == timedelta(days=3)
