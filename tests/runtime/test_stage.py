"""Around a command: what it prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.stage import user_errors
from tests.conftest import ROOT


def test_nothing_that_is_printed_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"), user_errors():
        print("class \x1b[2Jcat\r\n\tdog")
        raise DarkroomError("no \x1b]0;title\x07:\n  - \u202ename")
    printed = capsys.readouterr()
    assert printed.out == "class \\x1b[2Jcat\\r\n\tdog\n"
    assert printed.err == "error: no \\x1b]0;title\\x07:\n  - \\u202ename\n"


def test_a_command_without_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with user_errors():
        print("nowhere")


# A stage that holds 300 MB for a while, and whose child works for half a second of the processor.
COSTLY = """
import subprocess, sys
from darkroom.runtime.stage import stage
with stage("survey"):
    held = bytearray(300_000_000)
    subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.5: pass"])
"""


def test_what_a_stage_cost_is_written_with_its_children(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    done = subprocess.run(
        [sys.executable, "-c", COSTLY], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stderr == ""
    costs = json.loads((tmp_path / "reports/timings/survey.json").read_text(encoding="utf-8"))
    assert set(costs) == {"seconds", "cpu_seconds", "peak_memory"}
    assert costs["cpu_seconds"] >= 0.5 and costs["seconds"] >= 0.5
    # Linux counts what the process held before it became another program, which is what started it: here, pytest.
    assert costs["peak_memory"] > 300_000_000
