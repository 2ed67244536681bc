"""Time to an accuracy on test images: a training of ours beside fastai, and beside the loop of PyTorch's MNIST example.

Measures seconds, and CPU seconds of all threads, from the start of training to the end of the first epoch after which the test
split is named right to the wanted share. On a machine that others use, too, only the CPU seconds can be compared, with
`OMP_NUM_THREADS=1`.

Ours is the train stage with a preset (or params.yaml as it is, with `small_image_net` for auto): reading the
arrays, whitening, training on the training split, validation and checkpoints count. fastai is as good as it gets here
(`benchmarks.time_to_accuracy_peers`), with the same network, and takes turns with ours, seed by seed. The example, for grey
images of 28 pixels, is the published one (github.com/pytorch/examples, mnist/main.py: two convolutions, dropout, two linear
layers; Adadelta with rate 1, falling to 0.7 of itself after each epoch; batches of 64; 14 epochs; each image through Pillow
and torchvision). Both train on the training and validation splits together, since they choose nothing. Imports, and the test
split after each epoch, are outside of the clock. The test split chooses nothing: the whole course is told, of the epoch that
training keeps too. With `--stop` ours and fastai end as soon as they have reached the largest of the wanted accuracies.

    python -m benchmarks.time_to_accuracy DATA --wanted 0.93 --seeds 0 1 2 --example
    python -m benchmarks.time_to_accuracy CIFAR10_DATA --preset presets/small-images.yaml --wanted 0.90 --fastai PEER_PYTHON

DATA is the folder data/ of a line that has run as far as `preprocess`.
"""

import argparse
import json
import os
import subprocess
import tempfile
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.course import Clock, Course, Spent, tell
from benchmarks.repository import ROOT
from darkroom.images.pack import load_packed
from darkroom.network.load import Normalized, load_model
from darkroom.network.zoo import build_network
from darkroom.runtime.vision import torchvision
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.loop import score
from darkroom.training.state import load_checkpoint
from stages import train

EXAMPLE_EPOCHS, EXAMPLE_BATCH = 14, 64


class Reached(Exception):
    """The accuracy at which a training is stopped."""


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """In float32."""
    return score(model, images, labels, torch.float32, Processes(0, 1, torch.device("cpu")))[1]


def ours(settings: Train, data: Path, stop: float) -> Course:
    """The train stage, watched through its checkpoint, and ended by the accuracy `stop`."""
    packed = load_packed(data / "preprocess/test")
    images, labels = torch.from_numpy(np.array(packed.images)), torch.from_numpy(packed.labels)
    size, channels = packed.images.shape[1], packed.images.shape[3]
    course = Course()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def after_epoch(epoch: Epoch) -> None:
            course.spent.append(clock.now())
            state = load_checkpoint(next((folder / "checkpoints").glob("*.pt")))
            assert state is not None
            model.load_state_dict(state["model"] if state["ema"] is None else state["ema"]["weights"])
            course.accuracies.append(accuracy(model, images, labels))
            clock.leave_out(course.spent[-1])
            if course.accuracies[-1] >= stop:
                raise Reached

        stats = YAML(typ="safe").load((data / "preprocess/stats.json").read_text(encoding="utf-8"))
        own = settings.model_dump()
        network = build_network(settings.network, own, int(labels.max()) + 1, channels, size)
        model = Normalized(network, stats["mean"], stats["std"]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        clock = Clock()
        with Path(os.devnull).open("w", encoding="utf-8") as nothing, redirect_stdout(nothing), suppress(Reached):
            train.run(
                settings=settings,
                ingest=data / "ingest",
                splits=data / "split/splits.parquet",
                arrays=data / "preprocess",
                out=folder / "model",
                reports=folder / "reports",
                checkpoints=folder / "checkpoints",
                after_epoch=after_epoch,
            )
        if course.accuracies[-1] >= stop:
            return replace(course, kept=course.accuracies[-1])
        best, _ = load_model(folder / "model")
        return replace(course, kept=accuracy(best, images, labels))


class Pictures(Dataset[tuple[Tensor, int]]):
    """As torchvision's MNIST: an array in memory, from which each image goes through Pillow and the transforms."""

    def __init__(self, images: Any, labels: Any, transform: Any) -> None:
        self._images, self._labels, self._transform = images, labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), int(self._labels[index])


def example_network() -> nn.Module:
    """The example's network, from [N, 1, 28, 28] to log-probabilities [N, 10]."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.LogSoftmax(1)),
    )


def example(seed: int, data: Path, epochs: int) -> Course:
    """The loop of PyTorch's MNIST example."""
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(seed)
    parts = [load_packed(data / "preprocess" / part) for part in ("train", "validation")]
    test = load_packed(data / "preprocess/test")
    transforms = torchvision.transforms
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.2860], [0.3530])])
    images = np.concatenate([part.images[..., 0] for part in parts])
    pictures = Pictures(images, np.concatenate([part.labels for part in parts]), transform)
    batches = DataLoader(pictures, EXAMPLE_BATCH, shuffle=True)
    held_out = DataLoader(Pictures(np.array(test.images[..., 0]), test.labels, transform), 1000)
    model = example_network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    course = Course()
    clock = Clock()
    for _ in range(epochs):
        model.train()
        for batch, labels in batches:
            optimizer.zero_grad()
            functional.nll_loss(model(batch), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
        course.spent.append(clock.now())
        model.eval()
        with torch.no_grad():
            right = sum(int((model(batch).argmax(1) == labels).sum()) for batch, labels in held_out)
        course.accuracies.append(right / len(test.labels))
        clock.leave_out(course.spent[-1])
    return replace(course, kept=course.accuracies[-1])


def fastai(settings: Train, data: Path, python: str, epochs: int, stop: float) -> Course:
    """fastai at its best, in a process with another Python, over the training and validation splits together."""
    parts = {part: load_packed(data / "preprocess" / part) for part in ("train", "validation", "test")}
    images = np.concatenate([np.asarray(parts[name].images) for name in ("train", "validation")])
    labels = np.concatenate([parts["train"].labels, parts["validation"].labels])
    with tempfile.TemporaryDirectory() as name:
        arrays = {
            "images": images,
            "labels": labels,
            "test_images": np.asarray(parts["test"].images),
            "test_labels": parts["test"].labels,
        }
        for key, array in arrays.items():
            np.save(Path(name) / f"{key}.npy", array)
        chosen = {
            "network": settings.network,
            "own": settings.model_dump(include={"filters", "depth", "dropout", "pooling"}),
            "epochs": epochs,
            "seed": settings.seed,
            "reach": round(float(settings.shift) * images.shape[1]),
            "label_smoothing": settings.label_smoothing,
            "stop": stop,
        }
        command = [python, "-m", "benchmarks.time_to_accuracy_peers", name, json.dumps(chosen)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"error: fastai failed:\n{ran.stderr[-3000:]}")
    found = json.loads(ran.stdout.splitlines()[-1])
    print(f"seed {settings.seed}: {found['versions']}", flush=True)
    spent = [Spent(*each) for each in found["spent"]]
    return Course(spent, found["accuracies"], found["accuracies"][-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--preset", type=Path, help="a file of presets/ (params.yaml as it is)")
    parser.add_argument("--wanted", type=float, nargs="+", default=[0.93])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fastai", metavar="PYTHON", help="a Python that has fastai: fastai too")
    parser.add_argument("--fastai-epochs", type=int, help="(as many as ours)")
    parser.add_argument("--example", action="store_true", help="PyTorch's MNIST example too")
    parser.add_argument("--example-epochs", type=int, default=EXAMPLE_EPOCHS)
    parser.add_argument("--stop", action="store_true", help="end ours and fastai at the largest accuracy of --wanted")
    chosen = parser.parse_args()
    # No accuracy is above 1.
    stop = max(chosen.wanted) if chosen.stop else 2.0
    preset = YAML(typ="safe").load(chosen.preset.read_text(encoding="utf-8"))["train"] if chosen.preset else {}
    settings = {**read_params(ROOT / "params.yaml").train.model_dump(), **preset}
    if settings["network"] == "auto":
        settings["network"] = "small_image_net"
    courses: dict[str, dict[int, Course]] = {"ours": {}, "fastai, at its best": {}, "PyTorch's MNIST example": {}}
    for seed in chosen.seeds:
        own = Train(**{**settings, "seed": seed}).resolved()
        courses["ours"][seed] = ours(own, chosen.data, stop)
        if chosen.fastai:
            epochs = chosen.fastai_epochs or own.epochs
            courses["fastai, at its best"][seed] = fastai(own, chosen.data, chosen.fastai, epochs, stop)
        if chosen.example:
            courses["PyTorch's MNIST example"][seed] = example(seed, chosen.data, chosen.example_epochs)
    for name, found in courses.items():
        if found:
            tell(name, found, chosen.wanted)


if __name__ == "__main__":
    main()
