"""A command whose standard streams are closed, or close while it prints, shows no traceback and spoils no file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EDGE = "import sys\nfrom pathlib import Path\nfrom darkroom.runtime.stage import user_errors\nwith user_errors():\n"


def shell(program: str, redirected: str, folder: Path) -> tuple[int, str]:
    """The status of a program at the edge of a command, and what it printed on stderr."""
    (folder / "program.py").write_text(EDGE + "".join(f"    {line}\n" for line in program.splitlines()))
    done = subprocess.run(
        ["sh", "-c", f'("{sys.executable}" program.py; echo "status $?" >&2) {redirected}'],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    *printed, status = done.stderr.splitlines()
    return int(status.split()[1]), "\n".join(printed)


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    assert shell("for _ in range(100_000): print('a line')", "| head -1 >/dev/null", tmp_path) == (141, "")
    # Less than what is buffered, so that only the last words fail.
    assert shell("import time; time.sleep(0.1); print('a line')", "| true", tmp_path) == (141, "")


def test_a_full_disk_at_the_end_of_a_pipe(tmp_path: Path) -> None:
    status, printed = shell("print('a line')", ">/dev/full", tmp_path)
    assert status == 1 and printed.startswith("error: the disk is full;") and len(printed.splitlines()) == 1


def test_files_do_not_take_the_place_of_closed_streams(tmp_path: Path) -> None:
    program = """\
with Path("data").open("w") as file:
    print("on stdout", flush=True)
    print("on stderr", file=sys.stderr, flush=True)
    file.write("data")
assert sys.stdin.read() == ""
"""
    assert shell(program, "<&- >&-", tmp_path) == (0, "on stderr")
    assert (tmp_path / "data").read_text() == "data"


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", rb"K\xe4fer \u732b"), ("latin-1", b"K\xe4fer \\u732b")])
def test_an_encoding_without_a_character_shows_its_escape(tmp_path: Path, encoding: str, shown: bytes) -> None:
    (tmp_path / "program.py").write_text(EDGE + "    print('K\\xe4fer \\u732b')\n")
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, shown + b"\n", b"")
