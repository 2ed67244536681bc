"""Programs that a schedule keeps at work: each is started again when it ends, and a server also when it is stuck."""

import subprocess
import time
from collections.abc import Callable

import psutil

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_file
from flows import server

# A program that lived this long, in seconds, has come up; one that ended by itself sooner so many times in a row never will.
EARLY, ATTEMPTS = 60.0, 5
# A server that does not answer is stuck when it has not used so much of a processor, in seconds, for so long. On a machine
# with twelve programs to a processor one that starts still gets 1.2 s of 15; one that is stopped or waits for a lock gets none.
WORK, STUCK = 0.2, 15.0
# And when it has not answered for so long, in seconds, whatever it does meanwhile.
SILENCE = 120.0
# Seconds between two questions to a server that answers.
ASKED = 10.0


class Program:
    """One program that is kept at work.

    Args:
        name: in what is printed.
        start: starts it, and returns at once.
        printed: the end of what it printed, where that is not to be seen already.
    """

    def __init__(
        self, name: str, start: Callable[[], "subprocess.Popen[bytes]"], printed: Callable[[], str] = lambda: ""
    ) -> None:
        self._name, self._start, self._printed = name, start, printed
        self._failures = 0
        self.begin()

    def begin(self) -> None:
        """Start it."""
        self.process, self._started = self._start(), time.monotonic()

    def revive(self) -> bool:
        """Start it again where it has ended; returns whether it was.

        One that was killed is started at once, and one that failed after a pause, which doubles.

        Raises:
            DarkroomError: when it failed too often in a row.
        """
        status = self.process.poll()
        if status is None:
            return False
        early = time.monotonic() - self._started < EARLY
        self._failures = self._failures + 1 if early and status >= 0 else 0
        if self._failures >= ATTEMPTS:
            raise DarkroomError(
                f"the {self._name} ended by itself {ATTEMPTS} times in a row, last with status {status}: the schedule can't go "
                f"on; {self._printed() or 'what it printed is above'}, and `make doctor` looks for the cause"
            )
        how = f"was killed by signal {-status}" if status < 0 else f"ended by itself with status {status}"
        print(f"the {self._name} {how}: starting it again", flush=True)
        if self._failures:
            time.sleep(2 ** (self._failures - 1))
        self.begin()
        return True


class PrefectServer(Program):
    """The schedule's own server. It keeps its port: the runner and the runs at work know no other.

    Args:
        port: from `flows.server.settle`; until the server has answered for the first time it may become another, where
            another program takes it in the same second.

    Attributes:
        answers: whether it did when it was asked last.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_known = False
        super().__init__("server", self._launch, server.last_lines)

    def _launch(self) -> "subprocess.Popen[bytes]":
        if not self._is_known and not server.is_free(self._port):
            self._port = server.another_port()
        self.answers = False
        self._asked = self._answered = self._worked = time.monotonic()
        self._used = 0.0
        return server.launch(self._port, schedules=True)

    def look(self) -> bool:
        """Start it again where it has ended, ask it where that is due, and kill it where it is stuck.

        Returns:
            Whether it was started again.

        Raises:
            DarkroomError: as `revive` does; when the port that was asked for is taken.
        """
        if self.revive():
            return True
        now = time.monotonic()
        if not self.answers or now - self._asked > ASKED:
            self._asked, was = now, self.answers
            self.answers = server.is_healthy(server.address()) and server.listens(self.process, self._port)
            if self.answers:
                self._answered = time.monotonic()
                self._tell()
            elif was:
                self._worked = now
            self._end_stuck()
        return False

    def _tell(self) -> None:
        """Have other commands in this folder find it."""
        if not self._is_known:
            with whole_file(server.SCHEDULE_ADDRESS) as partial:
                partial.write_text(server.address(), encoding="utf-8")
        self._is_known = True

    def _end_stuck(self) -> None:
        now = time.monotonic()
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:
            return
        used = times.user + times.system
        if self.answers or used - self._used >= WORK:
            self._worked, self._used = now, used
        if now - self._worked > STUCK or now - self._answered > SILENCE:
            print(f"the server has not answered for {now - self._answered:.0f} s, and is stuck", flush=True)
            self.process.kill()
