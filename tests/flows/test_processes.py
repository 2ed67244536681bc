"""Children are heard while they run, and are gone when we are."""

import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import psutil
import pytest

from flows.processes import end, run

# A child with a grandchild that ignores SIGTERM.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where whoever started the tests ignores it
stubborn = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
grandchild = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
grandchild.stdout.readline()
print(grandchild.pid, flush=True)
time.sleep(600)
"""


def test_lines_come_while_the_command_still_runs_and_a_progress_bar_leaves_one(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = (
        "import os, sys, time\n"
        "print('first', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "print('10%\\r50%\\r100%'); sys.stdout.write('\\x1b[31mred\\x1b[39m, and no last newline'); sys.exit(3)"
    )
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        gate.touch()

    status, printed = run([sys.executable, "-c", program], os.environ, log)
    assert status == 3
    assert lines == ["first", "100%", "red, and no last newline"]
    assert "red, and" in printed


def test_a_terminal_gets_every_state_of_a_progress_bar_and_the_child_knows_its_width() -> None:
    program = (
        "import os, sys; from flows.processes import run;"
        "code = 'import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns, end=chr(13)); print(100)';"
        "status, printed = run([sys.executable, '-c', code], os.environ, None); sys.exit(status or '100' not in printed)"
    )
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 77))
    child = subprocess.Popen([sys.executable, "-c", program], stdout=theirs)
    assert child.wait() == 0
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert b"True 77\r100" in shown


def test_a_command_ends_when_nobody_reads_what_it_prints() -> None:
    program = "import itertools, time\nfor number in itertools.count(): print('x' * 999, flush=True), time.sleep(0.001)"
    read: list[str] = []

    def log(line: str) -> None:
        read.append(line)
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        run([sys.executable, "-c", program], os.environ, log)
    assert len(read) == 1


def test_the_whole_group_ends_also_who_ignores_a_polite_signal() -> None:
    child = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout
    grandchild = psutil.Process(int(child.stdout.readline()))
    end(child, patience=0.5)
    assert child.returncode == -signal.SIGINT
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_ends_our_child_without_a_traceback(number: signal.Signals) -> None:
    program = (
        "import os, sys; from flows import processes; processes.GRACE = 0; processes.end_children_on_signals();"
        "code = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)';"
        "processes.run([sys.executable, '-c', code], os.environ, None)"
    )
    us = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert us.stdout
    child = psutil.Process(int(us.stdout.readline()))
    us.send_signal(number)
    us.send_signal(number)  # an impatient second time
    assert us.communicate()[0] == ""
    assert us.returncode == 128 + number
    assert not child.is_running()
