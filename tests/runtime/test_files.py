"""Writes are whole or absent, also when the writer is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json
from tests.conftest import ROOT


def test_the_target_appears_whole_and_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").touch()
    with whole_folder(target) as folder:
        (folder / "new").touch()
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = r"file/out can't be made: Not a directory; mend .*file, or name another folder"
    with pytest.raises(DarkroomError, match=told), whole_folder(tmp_path / "file/out"):
        raise AssertionError("begun")


def test_a_kill_leaves_no_target_and_the_next_run_is_not_disturbed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    code = (
        "import os, sys; from pathlib import Path; from darkroom.runtime.files import whole_folder\n"
        "with whole_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').touch(); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(target)], cwd=ROOT).returncode == -9
    assert not target.exists()
    with whole_folder(target) as folder:
        (folder / "whole").touch()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"accuracy": float("nan")})
