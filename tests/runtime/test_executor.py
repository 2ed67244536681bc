"""The same receipts, in order, whatever works on the tasks; and a killed worker costs its task."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime.cores import usable_cores
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.executor import map_ranges, own_threads

ROOT = Path(__file__).parents[2]
TASKS = 12
# What a program that starts a cluster does; each task says what it was given, and the fourth kills its worker, once.
PROGRAM = """
import os, sys
from pathlib import Path
from darkroom.runtime.executor import map_ranges
from tests.runtime.test_executor import TASKS, write

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(list(map_ranges(write, [(folder, number, number == 3) for number in range(TASKS)])))
"""


def write(task: tuple[Path, int, bool]) -> int:
    """Write a file, and return what is in it; kill this process before that where the task says so and nobody did."""
    folder, number, kills = task
    if kills and not (folder / "killed").exists():
        (folder / "killed").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"{number}.txt").write_text(str(number * number))
    return number * number


def refuse(task: int) -> int:
    raise DarkroomError(f"task {task}")


@pytest.mark.parametrize("value", [None, "", "threads"])
def test_tasks_are_done_in_order(value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DARKROOM_EXECUTOR", raising=False)
    if value is not None:
        monkeypatch.setenv("DARKROOM_EXECUTOR", value)
    assert list(map_ranges(write, [(tmp_path, 3, False), (tmp_path, 2, False)])) == [9, 4]
    with pytest.raises(DarkroomError, match="task 1"):
        list(map_ranges(refuse, [1, 2]))


def test_an_unknown_executor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_EXECUTOR", "spark")
    with pytest.raises(DarkroomError, match=r"^DARKROOM_EXECUTOR=spark: there are threads, dask, ray$"):
        map_ranges(write, [])


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_WORKERS", value)
    with pytest.raises(DarkroomError, match=rf"^DARKROOM_WORKERS={value}: should be a number of workers from 1 on"):
        map_ranges(write, [])


def test_the_number_of_workers_is_that_of_threads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DARKROOM_EXECUTOR", raising=False)
    monkeypatch.setenv("DARKROOM_WORKERS", "7")
    assert own_threads() == 7
    monkeypatch.setenv("DARKROOM_EXECUTOR", "dask")
    assert own_threads() == usable_cores()


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_package_that_is_missing_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("DARKROOM_EXECUTOR", name)
    with pytest.raises(DarkroomError, match=rf"pip install -r requirements-{name}\.txt$"):
        list(map_ranges(refuse, [1]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_killed_worker_costs_its_task(name: str, package: str, tmp_path: Path) -> None:
    pytest.importorskip(package, reason=f"requirements-{name}.txt is not installed")
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = os.environ | {"DARKROOM_EXECUTOR": name, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", tmp_path], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str([number * number for number in range(TASKS)])
    assert (tmp_path / "killed").exists() and len(list(tmp_path.glob("*.txt"))) == TASKS
