"""Where the time of a training step goes.

Measures the parts of the steps that `darkroom.training.loop` takes, over real images in the default augmentation, batches of
128: a table by part (medians), one by kind of operation (torch's profiler, means, its own cost included), and images a second
of validation.

    python -m benchmarks.step_parts simple_cnn data/preprocess/train
    python -m benchmarks.step_parts resnet18 CIFAR10/data/preprocess/train --steps 8
"""

import argparse
import itertools
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.own_training import BATCH, OwnTraining, assemble
from benchmarks.rounds import print_table
from darkroom.training.distributed import Processes
from darkroom.training.loop import VALIDATION_BATCH, score
from darkroom.training.losses import batch_loss

# Kinds of operations by what their names hold; the first that fits.
KINDS = {
    "convolution, backward": ("convolution_backward",),
    "convolution, forward": ("convolution",),
    "batch normalisation, backward": ("batch_norm_backward",),
    "batch normalisation, forward": ("batch_norm",),
    "pooling": ("pool", "mean", "amax"),
    "activations": ("threshold", "clamp", "relu", "gelu"),
    "filling and copying": ("fill_", "zero_", "copy_", "index_select", "cat"),
    "optimizer": ("_foreach", "_fused", "add_", "mul_", "lerp"),
}


def take_steps(own: OwnTraining, steps: int) -> dict[str, list[float]]:
    """Milliseconds of each part of each step, as `darkroom.training.loop` takes them."""
    state, precision = own.state, own.trainable.precision
    own.trainable.start_epoch(1)
    parts: dict[str, list[float]] = defaultdict(list)
    batches = own.batches.epoch(1)
    for _ in range(steps):
        marks = [time.perf_counter()]
        batch = next(batches)
        marks.append(time.perf_counter())
        images = state.model.normalised(batch.images)  # type: ignore[operator]
        marks.append(time.perf_counter())
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            logits = state.model.network(images)  # type: ignore[operator]
        marks.append(time.perf_counter())
        loss = batch_loss(own.loss, logits.float(), batch)
        torch.isfinite(loss).item()
        marks.append(time.perf_counter())
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        marks.append(time.perf_counter())
        state.optimizer.step()
        state.schedule.step()
        marks.append(time.perf_counter())
        loss.item(), int((logits.argmax(1) == batch.labels).sum())
        marks.append(time.perf_counter())
        names = ("batch", "normalisation of pixels", "forward", "loss", "backward", "optimizer", "counting")
        for name, (start, end) in zip(names, itertools.pairwise(marks), strict=True):
            parts[name].append(1000 * (end - start))
    return parts


def by_kind(own: OwnTraining, steps: int) -> dict[str, float]:
    """Milliseconds a step of each kind of operation."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        take_steps(own, steps)
    kinds: dict[str, float] = dict.fromkeys([*KINDS, "everything else"], 0.0)
    for event in profiler.key_averages():
        fits = [kind for kind, words in KINDS.items() if any(word in event.key for word in words)]
        kinds[fits[0] if fits else "everything else"] += event.self_cpu_time_total / 1000 / steps
    return kinds


def rows(values: dict[str, float]) -> list[tuple[str, str, str]]:
    """With shares of their sum."""
    total = sum(values.values())
    return [(name, f"{value:.2f}", f"{value / total:.0%}") for name, value in values.items()] + [
        ("together", f"{total:.2f}", "")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("split", type=Path, metavar="SPLIT", help="a folder of packed images")
    parser.add_argument("--steps", type=int, default=30)
    chosen = parser.parse_args()
    own = assemble(chosen.network, chosen.split)
    take_steps(own, 2)
    parts = {name: statistics.median(taken) for name, taken in take_steps(own, chosen.steps).items()}
    print(f"{chosen.network}, {len(own.packed.labels):,} images, batches of {BATCH}, {own.trainable.precision}\n")
    print_table(("part of a step", "ms", "share"), rows(parts))
    print()
    print_table(("kind of operation", "ms", "share"), rows(by_kind(own, max(2, chosen.steps // 4))))
    some = slice(0, min(len(own.packed.labels), 2 * VALIDATION_BATCH))
    images, labels = (torch.from_numpy(np.array(part[some])) for part in (own.packed.images, own.packed.labels))
    start = time.perf_counter()
    score(own.state.model, images, labels, own.trainable.precision, Processes(0, 1, torch.device("cpu")))
    print(f"\nvalidation: {len(labels) / (time.perf_counter() - start):,.0f} img/s")


if __name__ == "__main__":
    main()
