"""Keeps a Prefect server and a runner at work until we end: either is started again when it ends, and nothing outlives us."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from flows import crashed, orphans, server
from flows.processes import end

# Seconds between two looks at whether both are at work, and at what they left.
TICK, CARE = 0.5, 10.0
# A program that lived this long, in seconds, has come up; one that ended by itself sooner so many times in a row never will.
EARLY, ATTEMPTS = 60.0, 5
# Seconds that a server may not answer before it counts as stuck; a busy machine may take a minute.
SILENCE = 120.0
# Seconds that the runner may take to end: a run takes up to ten for its stage.
PATIENCE = 20.0


class Program:
    """One program that is kept at work.

    Args:
        name: in what is printed.
        start: starts it, and returns when it is started.
    """

    def __init__(self, name: str, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self._name, self._start = name, start
        self._failures = 0
        self.begin()

    def begin(self) -> None:
        """Start it."""
        self.process, self._started = self._start(), time.monotonic()

    def revive(self) -> bool:
        """Start it again where it has ended; returns whether it was.

        One that was killed is started at once, and one that failed after a pause, which doubles.

        Raises:
            DarkroomError: when it failed too often in a row, while it came up or later.
        """
        status = self.process.poll()
        if status is None:
            return False
        early = time.monotonic() - self._started < EARLY
        self._failures = self._failures + 1 if early and status >= 0 else 0
        if self._failures >= ATTEMPTS:
            raise DarkroomError(
                f"the {self._name} ended by itself {ATTEMPTS} times in a row, last with status {status}: the schedule can't go "
                "on; what it printed is above, and `make doctor` looks for the cause"
            )
        how = f"was killed by signal {-status}" if status < 0 else f"ended by itself with status {status}"
        print(f"the {self._name} {how}: starting it again", flush=True)
        while True:
            time.sleep(2 ** (self._failures - 1) if self._failures else 0)
            try:
                self.begin()
                return True
            except DarkroomError as error:
                # It may have been killed while it came up.
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise
                print(f"{error}\nstarting the {self._name} again", flush=True)


class Supervisor:
    """The server, the runner, and the watchman; see `watch`.

    Args:
        lock: that we hold.
        port: of the server, from `flows.server.settle`; None for a server of somebody else's.
        runner: the command of the runner.

    Raises:
        DarkroomError: when the server does not come up.
    """

    def __init__(self, lock: Path, port: int | None, runner: Sequence[str]) -> None:
        self._mark = orphans.mark_children(lock)
        self._watchman = orphans.Watchman(self._mark)
        self._server = Program("server", lambda: _start_server(port)) if port else None
        self._answered = self._cared = time.monotonic()
        self._runner: Program | None = None
        self._runner_command = runner
        self._runs = crashed.Runs(lock.with_name("runs"), ours=port is not None)
        # The server is another one than that to which the runner is connected.
        self._reconnect = False

    def watch(self) -> None:
        """Keep all at work until a signal ends us, and end all then.

        Raises:
            DarkroomError: when one of them can't be kept at work.
        """
        # What a killed schedule left at work has been ended.
        self._runs.mark_crashed(set(), gone=0)
        self._runner = Program("runner", self._start_runner)
        try:
            while True:
                self._look()
                time.sleep(TICK)
        finally:
            self._runs.remember(crashed.runs_at_work(self._mark))
            end(self._runner.process, patience=PATIENCE)
            orphans.end_orphans(self._mark)
            self._runs.mark_crashed(set(), gone=0)

    def _start_runner(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._runner_command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _look(self) -> None:
        assert self._runner
        self._watchman.keep()
        if self._server and self._server.revive():
            self._reconnect, self._answered = True, time.monotonic()
        if self._runner.process.poll() is not None:
            # Its runs have lost it; before another one starts.
            orphans.end_orphans(self._mark)
        if self._runner.revive():
            self._reconnect = False
        if time.monotonic() - self._cared > CARE:
            self._cared = time.monotonic()
            self._care()

    def _care(self) -> None:
        assert self._runner
        if lost := orphans.end_orphans(self._mark):
            print(f"{lost} processes had lost the one that started them, and are ended", flush=True)
        at_work = crashed.runs_at_work(self._mark)
        if self._server and not self._is_answering(self._server):
            return
        self._runs.mark_crashed(at_work)
        if self._reconnect and not at_work:
            # A runner whose server was another one may wait for ever for what the old one had to say.
            end(self._runner.process, patience=PATIENCE)
            self._runner.begin()
            self._reconnect = False

    def _is_answering(self, program: Program) -> bool:
        if server.is_healthy(server.address()):
            self._answered = time.monotonic()
            return True
        if time.monotonic() - self._answered > SILENCE:
            print(f"the server has not answered for {SILENCE:.0f} s: starting it again", flush=True)
            program.process.kill()
        return False


def _start_server(port: int) -> "subprocess.Popen[bytes]":
    process = server.start(port, schedules=True)
    with whole_file(server.SCHEDULE_ADDRESS) as partial:
        partial.write_text(server.address(), encoding="utf-8")
    return process
