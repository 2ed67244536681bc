"""`make run` killed at any moment leaves git as it was, and the same command then ends with the same hashes.

`DARKROOM_KILLS=50 .venv/bin/python -m pytest -s tests/contracts/test_kills.py` kills fifty times, prints each, and at the end
how often each stage was hit; `DARKROOM_KILLS_SEED=1` chooses other moments. Each kill aims at the stage that was hit and tried
least, so that fifty hit every stage three times or more, and training after its first checkpoint, too.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import time
from collections import Counter
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
    "SET=ingest.source=digits preprocess.size=16 train.network=simple_cnn train.filters=8 train.depth=2 train.epochs=4 "
    "train.precision=float32 "
    "evaluate.gallery=2 evaluate.robustness_images=0 quantize.calibration_images=32 export.parity_images=100",
]  # fmt: skip
# Who is killed: `make`, which leaves all others at work; the program that it started; all processes at once.
VICTIMS = ("make", "flows.run", "all")
STAGES = ("survey", "code", "ingest", "validate", "split", "select", "preprocess", "train", "predict", "evaluate", "quantize",
          "export", "report")  # fmt: skip
RESUMED = "train after its first checkpoint"


def start(clone: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    with (clone.parent / "printed").open("ab") as printed:
        return subprocess.Popen(
            COMMAND, cwd=clone, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
        )


def at_work(command: "subprocess.Popen[bytes]", clone: Path) -> str | None:
    """The stage that runs now; None between two stages."""
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(command.pid).children(recursive=True)
    for process in family:
        with contextlib.suppress(psutil.Error):
            for word in process.cmdline():
                if word.startswith("stages.") and word.removeprefix("stages.") in STAGES:
                    trained = word == "stages.train" and any((clone / ".darkroom/checkpoints").glob("train-*.pt"))
                    return RESUMED if trained else word.removeprefix("stages.")
    return None


def wait_for(aim: str, fraction: float, seconds: float, command: "subprocess.Popen[bytes]", clone: Path) -> str:
    """Wait until a stage runs and for a part of its time; what runs then."""
    while command.poll() is None and at_work(command, clone) != aim:
        time.sleep(0.02)
    if command.poll() is None:
        time.sleep(fraction * seconds)
    return (at_work(command, clone) if command.poll() is None else None) or "between stages, or at the end"


def kill(command: "subprocess.Popen[bytes]", victim: str) -> None:
    if command.poll() is not None:
        return
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
    times = {
        name: json.loads((clone / f"reports/timings/{name}.json").read_text(encoding="utf-8"))["seconds"]
        for name in STAGES
    }
    # What is left of a training when it has its first checkpoint; most of its time is for imports.
    times[RESUMED] = times["train"] / 10
    chance = random.Random(SEED)
    aims = [*STAGES, RESUMED]
    chance.shuffle(aims)
    hits: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for number in range(KILLS):
        forget(clone)
        before = git_state(clone)
        aim, victim = min(aims, key=lambda name: hits[name] + tried[name]), VICTIMS[number % len(VICTIMS)]
        command = start(clone, user_environment)
        stage = wait_for(aim, chance.random(), times[aim], command, clone)
        kill(command, victim)
        hits[stage] += 1
        tried[aim] += 1
        assert git_state(clone) == before
        assert start(clone, user_environment).wait() == 0, (clone.parent / "printed").read_text()
        assert git_state(clone) == before
        assert hashes(clone) == expected
        left = [path for path in clone.rglob(".*.partial") if ".dvc" not in path.parts]
        assert not left and not (clone / ".darkroom/line/unfinished").exists()
        print(f"kill {number + 1}: {victim} in {stage}; git as before, equal hashes, nothing left", flush=True)
    rows = [f"  {hits[name]:3} {name}" for name in [*aims, *(hits.keys() - set(aims))]]
    print(f"{KILLS} kills of a run of {duration:.0f} s:", *rows, sep="\n")
