"""The same receipts, in order, whatever works on the tasks; and a killed worker costs its task."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler, as it and its worker run in other containers; they import from the folder `clone`."""
    pytest.importorskip("distributed", reason="requirements-dask.txt is not installed")
    (tmp_path / "clone").mkdir()
    paths = os.environ | {"PYTHONPATH": f"{tmp_path / 'clone'}{os.pathsep}{ROOT}"}
    cli, where = [sys.executable, "-m"], ["--scheduler-file", str(tmp_path / "scheduler.json"), "--no-dashboard"]
    scheduler = [*cli, "distributed.cli.dask_scheduler", "--port", "0", *where]
    worker = [*cli, "distributed.cli.dask_worker", "--nworkers", "1", "--nthreads", "1", *where]
    started = [
        subprocess.Popen(command, env=paths, cwd=tmp_path, stderr=subprocess.DEVNULL) for command in (scheduler, worker)
    ]
    while not (tmp_path / "scheduler.json").exists():
        assert started[0].poll() is None
        time.sleep(0.1)
    yield json.loads((tmp_path / "scheduler.json").read_text())["address"]
    for process in reversed(started):
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_workers_of_a_cluster_run_the_code_that_is_there_now(dask_cluster: str, tmp_path: Path) -> None:
    program = (
        "import work\n"
        "from darkroom.runtime.executor import map_ranges\n"
        "if __name__ == '__main__':\n"
        "    print(list(map_ranges(work.answer, [1, 2])))\n"
    )
    (tmp_path / "program.py").write_text(program)
    environment = os.environ | {"DARKROOM_EXECUTOR": "dask", "DASK_SCHEDULER_ADDRESS": dask_cluster}
    environment["PYTHONPATH"] = f"{tmp_path / 'clone'}{os.pathsep}{ROOT}"
    for factor, expected in ((10, "[10, 20]"), (1000, "[1000, 2000]")):
        (tmp_path / "clone/work.py").write_text(f"def answer(task):\n    return task * {factor}\n")
        done = subprocess.run(
            [sys.executable, tmp_path / "program.py"], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == expected
