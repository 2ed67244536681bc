"""A program that ends is started again, one that only fails is not, and a server that is stuck is seen."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from darkroom.runtime.errors import DarkroomError
from flows import programs, server


def start(*code: str) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-c", *code])
    child.wait()
    return child


def test_a_program_that_only_fails_ends_the_schedule_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(programs, "time", SimpleNamespace(monotonic=time.monotonic, sleep=paused.append))
    program = programs.Program("runner", lambda: start("import sys; sys.exit(3)"))
    for _ in range(programs.ATTEMPTS - 1):
        assert program.revive()
    with pytest.raises(DarkroomError, match=r"^the runner ended by itself 5 times in a row, last with status 3"):
        program.revive()
    assert paused == [1, 2, 4, 8]


def test_a_program_that_is_killed_is_started_again_however_often(capsys: pytest.CaptureFixture[str]) -> None:
    program = programs.Program("server", lambda: start("import os; os.kill(os.getpid(), 9)"))
    assert all(program.revive() for _ in range(programs.ATTEMPTS + 1))
    assert capsys.readouterr().out.startswith("the server was killed by signal 9: starting it again\n")


def test_a_program_at_work_is_left_alone() -> None:
    program = programs.Program(
        "runner", lambda: subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    )
    assert not program.revive()
    program.process.kill()
    program.process.wait()


class World:
    """Stands in for time, Prefect's server and what it uses of a processor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.now, self.used, self.answers, self.free = 1000.0, 0.0, False, True
        self.launched: list[int] = []
        self.killed = 0
        self.status: int | None = None
        address = tmp_path / "address"
        monkeypatch.setattr(programs, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=lambda seconds: None))
        times = SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=self.used, system=0.0))
        monkeypatch.setattr(programs, "psutil", SimpleNamespace(Process=lambda pid: times, Error=OSError))
        for name, value in {
            "launch": self._launch,
            "is_free": lambda port: self.free,
            "another_port": lambda: 4999,
            "is_healthy": lambda where: self.answers,
            "listens": lambda process, port: True,
            "address": lambda: "http://here/api",
            "SCHEDULE_ADDRESS": address,
        }.items():
            monkeypatch.setattr(server, name, value)
        self.server = programs.PrefectServer(4300)

    def _launch(self, port: int, schedules: bool) -> SimpleNamespace:
        self.launched.append(port)
        self.status = None
        return SimpleNamespace(pid=1, poll=lambda: self.status, kill=self._kill)

    def _kill(self) -> None:
        self.killed += 1
        self.status = -9

    def pass_time(self, seconds: int, work: float) -> None:
        for _ in range(seconds):
            self.now += 1
            self.used += work
            self.server.look()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


def test_a_server_that_hangs_while_it_comes_up_is_started_again_and_a_slow_one_is_not(world: World) -> None:
    world.pass_time(100, work=0.1)
    assert world.killed == 0
    world.pass_time(20, work=0)
    assert world.killed == 1 and world.launched == [4300, 4300]


def test_a_server_that_works_and_never_answers_is_started_again(world: World) -> None:
    world.pass_time(119, work=1)
    assert world.killed == 0
    world.pass_time(2, work=1)
    assert world.killed == 1


def test_an_idle_server_is_well_and_one_that_stops_answering_is_seen_within_half_a_minute(world: World) -> None:
    world.answers = True
    world.pass_time(300, work=0)
    assert world.killed == 0
    world.answers = False
    world.pass_time(30, work=0)
    assert world.killed == 1


def test_a_server_keeps_the_port_that_others_know(world: World) -> None:
    world.free = False
    world.status = 1
    world.pass_time(1, work=1)
    # Nobody knew it yet: another program was quicker.
    assert world.launched == [4300, 4999]
    world.answers = True
    world.pass_time(1, work=1)
    world.status = -9
    world.pass_time(1, work=1)
    assert world.launched == [4300, 4999, 4999]
