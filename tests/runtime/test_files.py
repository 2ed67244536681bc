"""Writes are whole or absent, also when the writer is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, read_json, whole_file, whole_files, whole_folder, write_json
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
    message = r"file/out can't be made: Not a directory; fix .*file, or choose another folder"
    with pytest.raises(DarkroomError, match=message), whole_folder(tmp_path / "file/out"):
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


def test_some_files_of_a_folder_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    target = tmp_path / "out"
    (target / "plots").mkdir(parents=True)
    for name in ("other", "mine", "plots/old"):
        (target / name).write_text("old")
    with whole_files(target) as folder:
        (folder / "mine").write_text("new")
        (folder / "plots").mkdir()
        (folder / "plots/new").write_text("new")
        assert (target / "mine").read_text() == "old"
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"other": "old", "mine": "new", "plots/new": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(RuntimeError), whole_files(target) as folder:
        (folder / "mine").write_text("half")
        raise RuntimeError
    assert (target / "mine").read_text() == "new" and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_one_file_is_replaced_or_stays(tmp_path: Path) -> None:
    target = tmp_path / "made/params.yaml"
    with whole_file(target) as path:
        path.write_text("first")
    with pytest.raises(RuntimeError), whole_file(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "first" and list(target.parent.iterdir()) == [target]


def test_a_hash_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_hash(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_json_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"name": "é", "b": [1, 2.5], "a": None})
    assert (tmp_path / "x.json").read_text() == '{\n  "name": "é",\n  "b": [\n    1,\n    2.5\n  ],\n  "a": null\n}\n'
    assert list(read_json(tmp_path / "x.json").items()) == [("name", "é"), ("b", [1, 2.5]), ("a", None)]


def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"accuracy": float("nan")})
