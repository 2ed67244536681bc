"""fastai's whole training for `benchmarks.time_to_accuracy`, in a process of its own: fastai may live in another environment.

It is set up at its best: our network with its whitened first layer, a resident array that is flipped and shifted, bfloat16,
channels_last, its Adam, `fit_one_cycle` at the rate that its `lr_find` suggests (outside of the clock), label smoothing.
The last line on stdout is JSON: seconds and CPU seconds at the end of each epoch, without imports and the test images, and test
accuracy then.
"""

import importlib
import json
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.course import Clock, Spent
from benchmarks.training_peers import MEAN, STD, Resident, fastai_at_its_best
from darkroom.network.cnn import SmallImageNet
from darkroom.network.zoo import build_network

# As the train stage takes to whiten.
WHITENED_ON = 5000
SCORED_AT_ONCE = 1000


def pictures(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Normalised images float32 [N, C, S, S] and labels int64 [N]."""
    images = torch.from_numpy(np.load(folder / f"{part}images.npy")).permute(0, 3, 1, 2)
    normalised = ((images / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
    return normalised, torch.from_numpy(np.load(folder / f"{part}labels.npy"))


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    network.eval()
    with torch.inference_mode():
        found = torch.cat([network(few).argmax(1) for few in torch.split(images, SCORED_AT_ONCE)])
    network.train()
    return float((found == labels).double().mean())


def train(folder: Path, network: nn.Module, settings: dict[str, Any]) -> tuple[list[Spent], list[float]]:
    """What was spent and test accuracies, epoch by epoch."""
    vision = importlib.import_module("fastai.vision.all")
    if isinstance(network, SmallImageNet):
        network.init_whitening(pictures(folder, "")[0][:WHITENED_ON])
    test = pictures(folder, "test_")
    batches = Resident(folder, settings["reach"], torch.channels_last)
    loss = nn.CrossEntropyLoss(label_smoothing=settings["label_smoothing"])
    learner = fastai_at_its_best(batches, network, loss)
    spent: list[Spent] = []
    accuracies: list[float] = []

    class Watch(vision.Callback):  # type: ignore[misc, name-defined]
        """After each epoch's batches; what it takes itself does not count."""

        def before_fit(self) -> None:
            self.clock = Clock()

        def after_train(self) -> None:
            spent.append(self.clock.now())
            accuracies.append(accuracy(network, *test))
            self.clock.leave_out(spent[-1])
            if accuracies[-1] >= settings["stop"]:
                raise vision.CancelFitException

        def before_validate(self) -> None:
            raise vision.CancelValidException

    rate = learner.lr_find(show_plot=False).valley
    learner.fit_one_cycle(settings["epochs"], rate, cbs=Watch())
    return spent, accuracies


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.manual_seed(settings["seed"])
    _, side, _, channels = np.load(folder / "images.npy", mmap_mode="r").shape
    classes = int(np.load(folder / "labels.npy").max()) + 1
    with redirect_stdout(sys.stderr):
        network = build_network(settings["network"], settings["own"], classes, channels, side)
        spent, accuracies = train(folder, network, settings)
    versions = ", ".join(f"{package} {version(package)}" for package in ("fastai", "torch"))
    print(json.dumps({"spent": spent, "accuracies": accuracies, "versions": versions}))


if __name__ == "__main__":
    main()
