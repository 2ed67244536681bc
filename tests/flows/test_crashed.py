"""Runs without a process are crashed; those that are at work, just begin, or may be on another machine are not."""

from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from flows import crashed

ONE, TWO = UUID(int=1), UUID(int=2)


class Server:
    """Stands in for Prefect's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = {ONE, TWO}
        self.clock = 1000.0
        monkeypatch.setattr(crashed, "_open_runs", lambda: set(self.open))
        monkeypatch.setattr(crashed, "_mark", self.open.remove)
        monkeypatch.setattr(crashed, "time", SimpleNamespace(monotonic=lambda: self.clock))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_a_run_without_a_process_for_a_minute_is_crashed_and_one_at_work_is_not(server: Server, tmp_path: Path) -> None:
    runs = crashed.Runs(tmp_path / "runs", ours=True)
    for _ in range(6):
        runs.mark_crashed({ONE})
        server.clock += 10
        assert server.open == {ONE, TWO}
    runs.mark_crashed({ONE})
    assert server.open == {ONE}


def test_a_run_that_began_late_has_a_minute_of_its_own(server: Server, tmp_path: Path) -> None:
    runs = crashed.Runs(tmp_path / "runs", ours=True)
    runs.mark_crashed(set())
    server.clock += 59
    runs.mark_crashed({ONE, TWO})
    server.clock += 59
    runs.mark_crashed(set())
    server.clock += 59
    runs.mark_crashed(set())
    assert server.open == {ONE, TWO}


def test_on_a_server_of_others_only_runs_that_were_at_work_here_are_marked_also_by_the_next_schedule(
    server: Server, tmp_path: Path
) -> None:
    crashed.Runs(tmp_path / "runs", ours=False).mark_crashed({ONE})
    after = crashed.Runs(tmp_path / "runs", ours=False)
    after.mark_crashed(set(), gone=0)
    assert server.open == {TWO}
    # Ended and marked: nothing is left to remember.
    after.mark_crashed(set())
    assert (tmp_path / "runs").read_text() == "[]\n"
