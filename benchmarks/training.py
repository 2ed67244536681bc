"""Training steps: ours beside the loops that people write with torch, and beside fastai.

Measures images a second of training steps over the same network, batches of 128, flips and shifts, and SGD with Nesterov
momentum. Ours is `darkroom.training.loop.run_epochs` as the train stage calls it: bfloat16, channels_last, batches from the
packed array. Beside it, in a process of their own (`benchmarks.training_peers`): a torch DataLoader with two workers that
decodes a PNG for each image with Pillow and transforms it with torchvision, in float32; a float32 loop over a resident array;
fastai in
its default form, over the same files; and fastai as fast as it gets here (resident array, bfloat16, channels_last, torch's
fused SGD, no progress bar). Each turn takes one step that does not count, so that workers are running and their queues full.
The ceiling is what the best bfloat16 convolution of `benchmarks.convolutions` would do, if a step's convolutions and products
all ran at its rate and there was nothing else. Validation is in no figure.

    python -m benchmarks.training small_image_net data/preprocess/train --peer-python PYTHON_WITH_PEERS
    python -m benchmarks.training resnet18 CIFAR10/data/preprocess/train --steps 1 --rounds 3 --peer-python PYTHON_WITH_PEERS
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.convolutions import CEILING, passes, seconds
from benchmarks.own_training import BATCH, OwnTraining, assemble, default_settings, network_settings
from benchmarks.peers import Peers
from benchmarks.rounds import RATE_HEADER, Contestant, in_turns, print_table, rate_rows, rates
from benchmarks.training_peers import CONTESTANTS
from darkroom.images.pack import Packed
from darkroom.runtime.cores import usable_cores
from darkroom.training.batches import Batch, TrainingBatches
from darkroom.training.distributed import Processes
from darkroom.training.loop import run_epochs

OURS, CEILING_NAME = "ours", "ceiling: bfloat16 convolutions alone"
# So many images are the data set of all contestants.
IMAGES = 8192


class TimedBatches(TrainingBatches):
    """An epoch of `steps` batches after one that does not count.

    Attributes:
        steps: that count.
        seconds: that they took in the last epoch, from the end of the first step to the end of the last.
    """

    steps: int
    seconds: float

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The first batches of an epoch."""
        start = 0.0
        for step, batch in zip(range(self.steps + 1), super().epoch(number, first_step), strict=False):
            if step == 1:
                start = time.perf_counter()
            yield batch
        self.seconds = time.perf_counter() - start


class Ours:
    """Steps of the project's own loop, an epoch of a few for each turn."""

    def __init__(self, network: str, split: Path, steps: int) -> None:
        self.own = assemble(network, split, IMAGES, TimedBatches)
        batches = self.own.batches
        assert isinstance(batches, TimedBatches)
        self._batches, self._steps = batches, steps
        batches.steps = steps
        self._validation_labels = torch.from_numpy(self.own.packed.labels[:1])

    def __call__(self) -> float:
        """Seconds an image."""
        state = self.own.state
        with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing):
            run_epochs(
                state,
                self.own.trainable,
                self._batches,
                self._validation_labels,
                loss=self.own.loss,
                config=replace(self.own.config, epochs=len(state.history) + 1),
                processes=Processes(0, 1, torch.device("cpu")),
                save=lambda: None,
            )
        return self._batches.seconds / self._steps / BATCH


def step_flops(own: OwnTraining) -> float:
    """Floating-point operations of a training step for each image: convolutions and products, forward and backward."""
    images = torch.from_numpy(np.array(own.packed.images[:2]))
    # As in the turns that count: what is trained in the first epoch alone needs no gradient any more.
    own.trainable.start_epoch(2)
    with FlopCounterMode(display=False) as counter:
        own.state.model(images).sum().backward()
    own.state.optimizer.zero_grad()
    return float(counter.get_total_flops()) / len(images)


def ceiling(flops: float, precision: torch.dtype) -> Contestant:
    """Seconds an image at the rate of the best convolution."""
    forward = passes(CEILING, precision)[0]
    return lambda: flops * seconds(forward) / CEILING.flops()


def lay_out(packed: Packed, folder: Path) -> None:
    """The images as one array, and as PNG files in a folder for each class."""
    np.save(folder / "images.npy", np.asarray(packed.images))
    np.save(folder / "labels.npy", packed.labels)
    for index, (pixels, label) in enumerate(zip(np.asarray(packed.images), packed.labels, strict=True)):
        file = folder / "files" / str(label) / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.squeeze()).save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("split", type=Path, metavar="SPLIT", help="a folder of packed images")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has fastai (this one)")
    parser.add_argument("--steps", type=int, default=15, help="that count in each turn")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ours, settings = Ours(chosen.network, chosen.split, chosen.steps), default_settings(chosen.network)
        packed, precision = ours.own.packed, ours.own.trainable.precision
        lay_out(packed, Path(name))
        reach, flops = round(float(settings.shift) * packed.images.shape[1]), step_flops(ours.own)
        built_with = json.dumps(network_settings(chosen.network))
        arguments = name, chosen.network, built_with, str(reach), str(chosen.steps)
        with Peers(chosen.peer_python, "benchmarks.training_peers", *arguments) as peers:
            contestants: dict[str, Contestant] = {OURS: ours, CEILING_NAME: ceiling(flops, precision)}
            contestants |= {name: peers.contestant(name) for name in CONTESTANTS}
            shape = " x ".join(str(side) for side in packed.images.shape[1:])
            print(f"{chosen.network}, {shape}, batches of {BATCH}, {str(precision).removeprefix('torch.')}")
            print(f"{peers.versions}; torch {torch.__version__}, {usable_cores()} cores\n", flush=True)
            taken = in_turns(contestants, chosen.rounds)
    print_table(RATE_HEADER, rate_rows(taken, 1, OURS, CEILING_NAME))
    found = rates(taken, 1)
    print(
        f"\na step takes {flops / 1e9:.3f} GFLOP an image: ours {found[OURS] * flops / 1e12:.2f} TFLOP/s, "
        f"the ceiling {found[CEILING_NAME] * flops / 1e12:.2f}"
    )


if __name__ == "__main__":
    main()
