"""`make run` killed at any moment leaves git as it was, and the same command then ends with the same hashes.

`DARKROOM_KILLS=30 .venv/bin/python -m pytest -s tests/contracts/test_kills.py` kills thirty times, and prints each;
`DARKROOM_KILLS_SEED=1` chooses other moments.
"""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from tests.support.repository import git_state

KILLS = int(os.environ.get("DARKROOM_KILLS") or 3)
SEED = int(os.environ.get("DARKROOM_KILLS_SEED") or 0)
# The whole line, as small as it gets.
COMMAND = [
    "make", "run",
    "SET=ingest.source=digits preprocess.size=16 train.network=simple_cnn train.filters=8 train.depth=2 train.epochs=2 "
    "train.precision=float32 "
    "predict.gallery=2 predict.robustness_images=0 quantize.calibration_images=32 export.parity_images=100",
]  # fmt: skip
# Who is killed: `make`, which leaves all others at work; the program that it started; all processes at once.
VICTIMS = ("make", "flows.run", "all")


def start(clone: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    with (clone.parent / "printed").open("ab") as printed:
        return subprocess.Popen(
            COMMAND, cwd=clone, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
        )


def kill(command: "subprocess.Popen[bytes]", victim: str) -> None:
    family = [psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)]
    for process in family:
        # One that ended meanwhile is no victim; when the command itself has, the kill came too late, which does no harm.
        with contextlib.suppress(psutil.NoSuchProcess):
            if victim == "all" or (
                process.pid == command.pid if victim == "make" else "flows.run" in process.cmdline()
            ):
                process.kill()
    command.wait()


def hashes(clone: Path) -> dict[str, str]:
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}


def forget(clone: Path) -> None:
    """Back to a clone in which nothing was ever made."""
    subprocess.run(["git", "checkout", "-q", "params.yaml"], cwd=clone, check=True)
    subprocess.run(["git", "status"], cwd=clone, check=True, stdout=subprocess.DEVNULL)  # settles the index
    for made in ("data/ingest", "dvc.lock", "models", "reports", ".darkroom", ".dvc/cache", ".dvc/tmp"):
        path = clone / made
        path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    for path in (clone / "data").iterdir():
        if path.is_dir():
            shutil.rmtree(path)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_git_alone_and_is_made_good(
    make_clone: Callable[[], Path], user_environment: dict[str, str]
) -> None:
    clone = make_clone()
    started = time.monotonic()
    assert start(clone, user_environment).wait() == 0, (clone.parent / "printed").read_text()
    duration, expected = time.monotonic() - started, hashes(clone)
    moments = random.Random(SEED)
    for number in range(KILLS):
        forget(clone)
        before = git_state(clone)
        moment, victim = moments.uniform(0, duration), VICTIMS[number % len(VICTIMS)]
        command = start(clone, user_environment)
        time.sleep(moment)
        kill(command, victim)
        assert git_state(clone) == before
        assert start(clone, user_environment).wait() == 0, (clone.parent / "printed").read_text()
        assert git_state(clone) == before
        assert hashes(clone) == expected
        print(
            f"kill {number + 1}: {victim} after {moment:.1f} of {duration:.1f} s; git as before, equal hashes",
            flush=True,
        )
