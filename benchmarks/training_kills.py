"""How soon a training in two processes goes on after one of them is killed, and whether its weights are the undisturbed ones.

Trains `small_image_net` on scikit-learn's digits in two processes, once undisturbed, and then again and again with one process
that ends itself with SIGKILL, each time another one and before another step. Measures the seconds from the kill to the end of
the first step that both processes have taken since, and compares the weights byte for byte.

    python -m benchmarks.training_kills --kills 10
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.repository import copy_repository, run, temporary_home
from benchmarks.rounds import print_table

PROCESSES, EPOCHS = 2, 3
SETTINGS: dict[str, str | int] = {
    "ingest.source": "digits",
    "train.network": "small_image_net",
    "train.processes": PROCESSES,
    "train.epochs": EPOCHS,
    "train.batch_size": 64,
    "train.flip": False,
}
# The train stage, with a checkpoint after each second of steps. Each process writes when its steps ended; one ends itself.
PROGRAM = """
import os, signal, time
from pathlib import Path
from darkroom.training import loop
from stages import train

loop.SECONDS_BETWEEN_CHECKPOINTS = 1
step, killed, rank = loop._step, Path("killed"), os.environ.get("RANK", "0")
left = int(os.environ["KILL_BEFORE"])

def taken(*arguments):
    global left
    if left == 0 and rank == os.environ["KILLED"] and not killed.exists():
        killed.write_text(str(time.time()))
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    step(*arguments)
    with open(f"steps-{rank}", "a") as file:
        file.write(f"{time.time()}\\n")

loop._step = taken
train.main()
"""


@dataclass(frozen=True)
class Kill:
    """Attributes:
    rank: of the process that was killed.
    step: before which it was.
    seconds: to the first step that all processes have taken since.
    equal: whether the weights are those of the undisturbed training.
    """

    rank: int
    step: int
    seconds: float
    equal: bool


def steps(folder: Path) -> list[list[float]]:
    """When each step ended, by process."""
    return [[float(line) for line in (folder / f"steps-{rank}").read_text().split()] for rank in range(PROCESSES)]


def train(folder: Path, rank: int, step: int) -> bytes:
    """Train in `folder`, where process `rank` is killed before its step `step`, -1 for none: the weights.

    Raises:
        SystemExit: with what it printed, when it fails.
    """
    environment = os.environ | {"KILLED": str(rank), "KILL_BEFORE": str(step)}
    command = [sys.executable, "-m", "steps_told"]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"error: the training failed:\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}")
    return (folder / "models/train/weights.safetensors").read_bytes()


def forget(folder: Path) -> None:
    """Remove what a training wrote."""
    shutil.rmtree(folder / "models/train")
    for name in ("killed", *(f"steps-{rank}" for rank in range(PROCESSES))):
        (folder / name).unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="trainings with a killed process (10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    chosen = parser.parse_args()
    moments = random.Random(chosen.seed)
    kills = []
    with temporary_home() as home:
        folder = home / "line"
        copy_repository(folder, SETTINGS)
        (folder / "steps_told.py").write_text(PROGRAM, encoding="utf-8")
        run(folder, "dvc", "repro", "preprocess")
        undisturbed = train(folder, 0, -1)
        count = len(steps(folder)[0])
        forget(folder)
        for number in range(chosen.kills):
            rank, step = number % PROCESSES, moments.randrange(1, count)
            weights = train(folder, rank, step)
            killed = float((folder / "killed").read_text())
            since = max(min(time for time in each if time > killed) for each in steps(folder))
            kills.append(Kill(rank, step, since - killed, weights == undisturbed))
            forget(folder)
            print(f"process {rank + 1} before step {step + 1} of {count}: {kills[-1].seconds:.1f} s", flush=True)
    seconds = [kill.seconds for kill in kills]
    print_table(
        ("killed", "went on", "equal weights", "median s", "longest s"),
        [
            (
                str(chosen.kills),
                str(len(kills)),
                str(sum(kill.equal for kill in kills)),
                f"{statistics.median(seconds):.1f}",
                f"{max(seconds):.1f}",
            )
        ],
    )


if __name__ == "__main__":
    main()
