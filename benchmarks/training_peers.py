"""What `benchmarks.training` stands beside, in a process of its own: fastai may live in an environment of its own.

Reads from stdin a contestant a line, takes a few training steps, and answers with the seconds an image, from the end of the
first step on. Of Darkroom it imports the network alone, which is the same for all.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from darkroom.network.zoo import build_network
from darkroom.runtime.vision import torchvision

LOADER = "DataLoader + Pillow, float32"
RESIDENT = "resident, float32"
FASTAI = "fastai, default"
FASTAI_BEST = "fastai, at its best"
CONTESTANTS = (LOADER, RESIDENT, FASTAI, FASTAI_BEST)

BATCH, RATE, MOMENTUM, MEAN, STD = 128, 0.02, 0.9, 0.5, 0.25


class Resident:
    """Batches of an array in memory, newly flipped and shifted: images float32 [B, C, S, S] and labels int64 [B]."""

    def __init__(self, folder: Path, reach: int, layout: torch.memory_format) -> None:
        images = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2)
        self._images = ((images / 255 - MEAN) / STD).to(memory_format=layout)
        self._labels = torch.from_numpy(np.load(folder / "labels.npy"))
        self._padded = nn.functional.pad(self._images, [reach] * 4, mode="replicate").permute(0, 2, 3, 1).contiguous()
        self._reach, self._layout = reach, layout

    def __len__(self) -> int:
        return len(self._labels) // BATCH

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        side = self._images.shape[2]
        for which in torch.split(torch.randperm(len(self._labels)), BATCH)[: len(self)]:
            rows, columns = torch.randint(0, 2 * self._reach + 1, (2, BATCH, 1)) + torch.arange(side)
            columns = torch.where(torch.rand(BATCH, 1) < 0.5, columns.flip(1), columns)
            images = self._padded[which[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
            yield images.contiguous(memory_format=self._layout), self._labels[which]


def plain_loop(network: nn.Module, batches: Any, steps: int) -> float:
    """The loop of the tutorials: seconds an image."""
    optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=5e-4, nesterov=True)
    network.train()
    total, correct, start = 0.0, 0, 0.0
    for step, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        logits = network(images)
        loss = cross_entropy(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item()
        correct += int((logits.argmax(1) == labels).sum())
        if step == 0:
            start = time.perf_counter()
        if step == steps:
            break
    return (time.perf_counter() - start) / steps / BATCH


def loader(folder: Path, side: int, channels: int, reach: int) -> DataLoader[Any]:
    """Files by torchvision's own means, with two workers."""
    transforms = torchvision.transforms
    changes = [
        transforms.Grayscale(channels),
        transforms.RandomCrop(side, padding=reach),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([MEAN] * channels, [STD] * channels),
    ]
    if channels == 3:
        del changes[0]
    files = torchvision.datasets.ImageFolder(str(folder / "files"), transforms.Compose(changes))
    return DataLoader(files, BATCH, shuffle=True, num_workers=2, drop_last=True)


def fastai_on_files(folder: Path, network: nn.Module, side: int, channels: int, reach: int) -> Any:
    """fastai in its default form, over files."""
    vision = importlib.import_module("fastai.vision.all")
    files = vision.ImageDataLoaders.from_folder(
        folder / "files",
        valid_pct=0.1,
        bs=BATCH,
        img_cls=vision.PILImage if channels == 3 else vision.PILImageBW,
        item_tfms=[vision.CropPad(side + 2 * reach), vision.RandomCrop(side)],
        batch_tfms=[vision.Flip(), vision.Normalize.from_stats([MEAN] * channels, [STD] * channels, cuda=False)],
    )
    return vision.Learner(
        files, network, loss_func=vision.CrossEntropyLossFlat(), opt_func=vision.SGD, metrics=vision.accuracy
    )


def fastai_at_its_best(batches: Resident, network: nn.Module, loss: nn.Module, **settings: Any) -> Any:
    """fastai with what is fastest on this processor: a resident array, bfloat16, channels_last, no progress bar."""
    vision = importlib.import_module("fastai.vision.all")

    class Bfloat16(vision.Callback):  # type: ignore[misc, name-defined]
        """fastai's own mixed precision is for CUDA alone."""

        def before_batch(self) -> None:
            self.autocast = torch.autocast("cpu", torch.bfloat16)
            self.autocast.__enter__()  # type: ignore[no-untyped-call]

        def after_pred(self) -> None:
            self.autocast.__exit__(None, None, None)
            self.learn.pred = self.learn.pred.float()

    loaders = vision.DataLoaders(batches, batches)
    learner = vision.Learner(loaders, network, loss_func=loss, cbs=[vision.ChannelsLast(), Bfloat16()], **settings)
    learner.remove_cb(vision.ProgressCallback)
    return learner


def fused_sgd(groups: Any, **settings: Any) -> Any:
    """torch's fused SGD, as fastai takes an optimizer."""
    vision = importlib.import_module("fastai.vision.all")
    return vision.OptimWrapper(groups, torch.optim.SGD, momentum=MOMENTUM, nesterov=True, fused=True, **settings)


def fastai_steps(learner: Any, steps: int) -> float:
    """The first steps of `fit_one_cycle`: seconds an image."""
    vision = importlib.import_module("fastai.vision.all")
    ends: list[float] = []

    class Clock(vision.Callback):  # type: ignore[misc, name-defined]
        """After everything else that happens after a step."""

        order = 1000

        def after_batch(self) -> None:
            ends.append(time.perf_counter())
            if len(ends) > steps:
                raise vision.CancelFitException

    learner.fit_one_cycle(1, RATE, cbs=Clock())
    return (ends[-1] - ends[0]) / steps / BATCH


def main() -> None:
    folder, name, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    reach, steps = int(sys.argv[4]), int(sys.argv[5])
    _, side, _, channels = np.load(folder / "images.npy", mmap_mode="r").shape
    classes = len(list((folder / "files").iterdir()))

    def make() -> nn.Module:
        return build_network(name, settings, classes, channels, side)

    with redirect_stdout(sys.stderr):
        network, another = make(), make()
        files, resident = loader(folder, side, channels, reach), Resident(folder, reach, torch.contiguous_format)
        default = fastai_on_files(folder, make(), side, channels, reach)
        batches = Resident(folder, reach, torch.channels_last)
        best = fastai_at_its_best(batches, make(), nn.CrossEntropyLoss(), opt_func=fused_sgd)
    contestants: dict[str, Callable[[], float]] = {
        LOADER: lambda: plain_loop(network, files, steps),
        RESIDENT: lambda: plain_loop(another, resident, steps),
        FASTAI: lambda: fastai_steps(default, steps),
        FASTAI_BEST: lambda: fastai_steps(best, steps),
    }
    print(", ".join(f"{package} {version(package)}" for package in ("fastai", "torch", "pillow")), flush=True)
    for line in sys.stdin:
        with redirect_stdout(sys.stderr):
            taken = contestants[line.strip()]()
        print(taken, flush=True)


if __name__ == "__main__":
    main()
