"""Memory of a training as its images become more, also where they are more than the memory that it may have.

Measures, for each number of images: bytes of the packed images (32 x 32 pixels of noise, made first and deleted afterwards);
the most memory of its own that a training of `small_image_net` has (RssAnon) in one epoch, before its first batch and in all;
and images read and augmented a second. Every batch of the epoch is made, and one in 50 is trained on, so that the time is that
of reading. With `--limit-mib` the process may have so much memory, its part of the page cache included, by a control group
(version 1, as root): a process that needs more is killed.

    python -m benchmarks.training_memory --images 90000 900000 --limit-mib 2048
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.own_training import assemble
from benchmarks.rounds import print_table
from darkroom.images.pack import IDS
from darkroom.images.packed import PackedRange, write_receipt
from darkroom.runtime.files import file_hash
from darkroom.training.distributed import Processes
from darkroom.training.loop import _step

SIDE, CHANNELS, CLASSES = 32, 3, 10
WRITTEN, TRAINED = 2048, 50
GROUP = Path("/sys/fs/cgroup/memory/darkroom-benchmark")


def write_noise(folder: Path, images: int) -> int:
    """Write a packed split of noise; returns the bytes of its images."""
    rng = np.random.default_rng(0)
    shape = (images, SIDE, SIDE, CHANNELS)
    array = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, images, WRITTEN):
        part = array[start : start + WRITTEN]
        part[:] = rng.integers(0, 256, part.shape, np.uint8)
    np.save(folder / "labels.npy", np.arange(images, dtype=np.int64) % CLASSES)
    np.save(folder / "ids.npy", np.array([f"{number:016x}" for number in range(images)], IDS))
    write_receipt([PackedRange("images", images, file_hash(folder / "images.npy"))], folder)
    return int(array.nbytes)


def own_memory() -> float:
    """MiB of this process that are no pages of files."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) / 1024


def train(split: Path) -> None:
    """One epoch; prints MiB before its first batch, the most MiB, and images a second."""
    training = assemble("small_image_net", split)
    model = Processes(0, 1, torch.device("cpu")).data_parallel(training.state.model, False)
    training.trainable.start_epoch(1)
    before = most = own_memory()
    started, spent = time.perf_counter(), 0.0
    for number, batch in enumerate(training.batches.epoch(1)):
        if number % TRAINED == 0:
            begun = time.perf_counter()
            _step(training.state, model, batch, 1, training.trainable.precision, training.loss, 0.0, 1.0)
            spent += time.perf_counter() - begun
        most = max(most, own_memory())
    images = len(training.batches) * len(batch.labels)
    print(before, most, images / (time.perf_counter() - started - spent))


def measure(split: Path, limit_mib: int | None) -> list[float]:
    """Train in a process of its own, in a control group where there is a limit; what it printed."""
    if limit_mib:
        GROUP.mkdir()
        (GROUP / "memory.limit_in_bytes").write_text(str(limit_mib << 20), encoding="ascii")
    try:
        command = [sys.executable, "-m", "benchmarks.training_memory", "--train", str(split)]
        # The shell joins the group, and becomes the training.
        join = f"echo $$ > {GROUP}/cgroup.procs && " if limit_mib else ""
        done = subprocess.run(
            ["sh", "-c", f'{join}exec "$@"', "sh", *command], check=True, capture_output=True, text=True, env=os.environ
        )
    finally:
        if limit_mib:
            GROUP.rmdir()
    return [float(value) for value in done.stdout.splitlines()[-1].split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[90_000, 900_000])
    parser.add_argument("--limit-mib", type=int)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.train)
        return
    header, rows = ("images", "packed MiB", "own MiB before", "own MiB at most", "images/s"), []
    for images in arguments.images:
        with tempfile.TemporaryDirectory(prefix="training-memory-", dir=Path.cwd()) as folder:
            packed = write_noise(Path(folder), images)
            before, most, rate = measure(Path(folder), arguments.limit_mib)
        rows.append((f"{images:,}", f"{packed >> 20:,}", f"{before:,.0f}", f"{most:,.0f}", f"{rate:,.0f}"))
    print_table(header, rows)


if __name__ == "__main__":
    main()
