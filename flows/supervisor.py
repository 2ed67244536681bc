"""Keeps a Prefect server and a runner at work until we end: either is started again when it ends, and nothing outlives us."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from flows import crashed, orphans
from flows.processes import end
from flows.programs import PrefectServer, Program

# Seconds between two looks at whether both are at work, and at what they left.
TICK, CARE = 0.5, 10.0
# Seconds that the runner may take to end: a run takes up to ten for its stage.
PATIENCE = 20.0


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
        self._server = PrefectServer(port) if port else None
        self._cared = time.monotonic()
        self._runner: Program | None = None
        self._runner_command = runner
        self._runs = crashed.Runs(lock.with_name("runs"), ours=port is not None)
        # The server is another one than that to which the runner is connected.
        self._reconnect = False
        while self._server and not self._server.answers:
            self._watchman.keep()
            self._server.look()
            time.sleep(TICK)

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
        if self._server and self._server.look():
            self._reconnect = True
        if self._runner.process.poll() is not None:
            # Its runs have lost it; before another one starts.
            orphans.end_orphans(self._mark)
            # Without a server it would fail, and count as one that does so by itself.
            if self._has_server() and self._runner.revive():
                self._reconnect = False
        if time.monotonic() - self._cared > CARE:
            self._cared = time.monotonic()
            self._care()

    def _has_server(self) -> bool:
        return self._server is None or self._server.answers

    def _care(self) -> None:
        assert self._runner
        if lost := orphans.end_orphans(self._mark):
            print(f"{lost} processes had lost the one that started them, and are ended", flush=True)
        at_work = crashed.runs_at_work(self._mark)
        if not self._has_server():
            return
        self._runs.mark_crashed(at_work)
        if self._reconnect and not at_work:
            # A runner whose server was another one may wait for ever for what the old one had to say.
            end(self._runner.process, patience=PATIENCE)
            self._runner.begin()
            self._reconnect = False
