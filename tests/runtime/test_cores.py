"""Cores for us, by affinity and quota; how threads wait; and the line about a busy machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.runtime import cores
from tests.conftest import ROOT

# What a process with nothing but `darkroom` imported has in its environment.
SHOW = "import os, darkroom; print(*(os.environ.get(n, '-') for n in ('GOMP_SPINCOUNT', 'OMP_NUM_THREADS')))"


def control_groups(folder: Path, own: str, files: dict[str, str]) -> float:
    for name, text in files.items():
        (folder / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "groups" / name).write_text(text)
    (folder / "own").write_text(own)
    return cores._quota(folder / "groups", folder / "own")


V1 = {"cpu/a/cpu.cfs_quota_us": "150000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("own", "files", "found"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1.0),  # docker run --cpus=1
        ("0::/\n", {"cpu.max": "max 100000\n"}, float("inf")),
        ("0::/\n", {}, float("inf")),
        # The tightest on the way to the top counts, and no sibling does.
        ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "300000 100000", "c/cpu.max": "1000 100000"}, 0.5),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("4:memory:/x\n3:cpu,cpuacct:/a\n0::/\n", V1, 1.5),
        ("3:cpu:/a\n", V1 | {"cpu/a/cpu.cfs_quota_us": "-1\n"}, float("inf")),
    ],
)
def test_the_quota_of_the_control_groups(own: str, files: dict[str, str], found: float, tmp_path: Path) -> None:
    assert control_groups(tmp_path, own, files) == found


def test_cores_are_those_of_the_affinity_and_of_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_allowed_cores", lambda: 64)
    for quota, expected in ((1.0, 1), (1.5, 2), (0.2, 1), (float("inf"), 64)):
        monkeypatch.setattr(cores, "_quota", lambda quota=quota: quota)
        assert cores.usable_cores() == expected


def test_threads_are_limited_by_a_quota_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_allowed_cores", lambda: 64)
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # restored at the end, whatever is set meanwhile
    for quota, expected in ((float("inf"), ""), (2.0, "2")):
        monkeypatch.setattr(cores, "_quota", lambda quota=quota: quota)
        cores.set_thread_defaults()
        assert os.environ["OMP_NUM_THREADS"] == expected
    assert cores.operator_threads() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    cores.set_thread_defaults()
    assert os.environ["OMP_NUM_THREADS"] == "5,2"
    assert cores.operator_threads() == 5


@pytest.mark.parametrize(
    ("set_by_user", "shown"),
    [
        ({}, "10000 -"),
        ({"GOMP_SPINCOUNT": "7"}, "7 -"),
        ({"OMP_WAIT_POLICY": "passive"}, "- -"),
        ({"OMP_NUM_THREADS": "3"}, "10000 3"),
    ],
)
def test_every_process_spins_for_a_bounded_time_unless_the_user_says_otherwise(
    set_by_user: dict[str, str], shown: str
) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in names} | set_by_user
    printed = subprocess.run([sys.executable, "-c", SHOW], env=environment, cwd=ROOT, capture_output=True, text=True)
    if cores.usable_cores() == cores._allowed_cores():
        assert printed.stdout.strip() == shown


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch brings libgomp on Linux alone")
def test_the_library_that_torch_loads_reads_what_is_set_in_its_own_process() -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    program = "import os, darkroom; os.environ['OMP_DISPLAY_ENV'] = 'VERBOSE'; import torch"
    printed = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert "GOMP_SPINCOUNT = '10000'" in printed.stderr


@pytest.mark.parametrize(
    ("load", "running", "host", "found"),
    [
        (0.4, 9, 2, None),
        (3.0, 0, 2, None),  # The minute before was a run of ours.
        (9.0, 9, 2, "2 cores, and 9 other threads at work"),
        (9.0, 62, 64, None),  # Two of the machine's cores are free, and we may use two.
        (80.0, 70, 64, "2 cores, and 70 other threads"),
        (9.0, None, 2, None),
    ],
)
def test_a_busy_machine_is_noted(
    load: float, running: int | None, host: int, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: host)
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.setattr(cores, "_running_now", lambda: running)
    note = cores.busy_note()
    assert note is None if found is None else note is not None and note.startswith(found)
