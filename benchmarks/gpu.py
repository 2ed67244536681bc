"""What `benchmarks/gpu.sh` measures on a GPU: training on CIFAR-10, features of photographs, a training that is resumed.

Measures, on the first CUDA device: the rate of a bfloat16 product and of its memory; training steps of ours
(`darkroom.training.fit`, resident images, bfloat16, channels_last, deterministic), of torchvision's plain loop (ImageFolder's
transforms in a DataLoader, float32) and of the same loop over a resident array, over the same network, images a second after an
epoch that does not count; then the preset small-images for each seed, seconds of `fit` and test accuracy of the epoch
that validation chose; then features of 10,000 random images of 224 pixels by EfficientNet-Lite0, its weights random where their
package is not installed; and whether a training that was interrupted ends with the same bits as one that was not. Needs
torch, torchvision, timm and what the rooms up to `training` import; nothing is fetched. CPU with small numbers tries it out.

    python -m benchmarks.gpu cifar10.zip --seeds 0 1
    python -m benchmarks.gpu cifar10.zip --device cpu --images 600 --epochs 1 --photographs 8
"""

import argparse
import contextlib
import hashlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from benchmarks.pictures import read_pictures
from benchmarks.repository import ROOT
from benchmarks.rounds import print_table
from darkroom.images.decode import decode
from darkroom.images.pack import Packed
from darkroom.inference.device import keep_freed_memory, resolve_precision, use_deterministic_algorithms
from darkroom.inference.features import features
from darkroom.network.load import Normalized
from darkroom.network.pretrained import load_pretrained
from darkroom.network.zoo import build_network
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.vision import torchvision
from darkroom.settings.networks import own_settings
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.choices import make_choices
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.fit import fit
from darkroom.training.loop import FitConfig, score
from darkroom.training.mirrored import MirroredClasses
from darkroom.training.trainable import whiten_first_layer

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
BATCH, LOADER_STEPS, VALIDATION = 500, 40, 5000
# What `make_choices` is asked with, beside the augmentation.
ASKED = ("network", "weights", "freeze", "unfreeze", "batch_size", "loss", "optimizer", "learning_rate", "weight_decay")
LITE0 = "timm/tf_efficientnet_lite0"


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that a clock means something."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of one call, with all that it started on the device."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def read_cifar10(source: Path, most: int | None) -> tuple[Packed, Packed, Packed]:
    """Training, validation and test images of CIFAR-10 as a zip with `train/` and `test/`, in an order of a seed."""
    found: dict[str, list[tuple[str, bytes]]] = {"train": [], "test": []}
    for name, data in read_pictures(source):
        found["test" if "/test/" in name else "train"].append((name, data))
    packed = []
    for pictures in found.values():
        random.Random(0).shuffle(pictures)
        names = sorted({Path(name).parent.name for name, _ in pictures})
        pictures = pictures[:most]
        images = np.stack([decode(data).pixels for _, data in pictures])
        labels = np.array([names.index(Path(name).parent.name) for name, _ in pictures])
        ids = np.array([hashlib.sha256(name.encode()).hexdigest()[:16].encode() for name, _ in pictures])
        packed.append(Packed(images, labels, ids))
    train, test = packed
    held_out = min(VALIDATION, len(train.labels) // 5)
    parts = (slice(held_out, None), slice(held_out))
    learnt, validation = (Packed(train.images[part], train.labels[part], train.ids[part]) for part in parts)
    return learnt, validation, test


def preset(seed: int, epochs: int | None) -> Train:
    """Params.yaml with the preset small-images, for a seed."""
    yaml = YAML(typ="safe")
    changes = yaml.load((ROOT / "presets/small-images.yaml").read_text(encoding="utf-8"))["train"]
    plain = read_params(ROOT / "params.yaml").train.model_dump() | changes | {"seed": seed}
    return Train(**(plain | ({"epochs": epochs} if epochs else {}))).resolved()


def fresh(settings: Train, train: Packed, device: torch.device) -> Normalized:
    """The preset's network before its first step, as the train stage makes it."""
    torch.manual_seed(settings.seed)
    own = {name: getattr(settings, name) for name in own_settings(settings.network)}
    model = Normalized(build_network(settings.network, own, 10, 3, train.images.shape[1]), MEAN, STD)
    whiten_first_layer(model, train.images, settings.seed)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def fitted(
    settings: Train,
    train: Packed,
    validation: Packed,
    device: torch.device,
    checkpoint: Path,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> Normalized:
    """Trained as the train stage does it, from a checkpoint on where there is one."""
    model = fresh(settings, train, device)
    image = torch.from_numpy(train.images[:1].copy()).to(device)
    precision, _ = resolve_precision(settings.precision, device, model, image)
    values = settings.model_dump()
    asked: dict[str, Any] = {name: values[name] for name in ASKED}
    asked |= {"flip": True, "albumentations": [], "find_mirrored": lambda: MirroredClasses(())}
    choices = make_choices(images=len(train.labels), classes=10, **asked)
    values |= choices.values() | {"classes": 10}
    values["augmentation"] = Augmentation(**{field.name: values[field.name] for field in fields(Augmentation)})
    config = FitConfig(**{field.name: values[field.name] for field in fields(FitConfig)})
    fit(
        model, train, validation, config, precision=precision, processes=Processes(0, 1, device),
        checkpoint=checkpoint, after_epoch=after_epoch,
    )  # fmt: skip
    return model


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """As torchvision's CIFAR10: an array in memory, from which each image goes through Pillow and the transforms."""

    def __init__(self, packed: Packed) -> None:
        transforms = torchvision.transforms
        crop = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        self._packed, self._to_picture = packed, transforms.ToPILImage()
        self._transform = transforms.Compose([*crop, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self._packed.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._to_picture(self._packed.images[index])), int(self._packed.labels[index])


def resident(packed: Packed, device: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of an array on the device, some of them flipped, without end."""
    images = torch.from_numpy(packed.images).to(device).permute(0, 3, 1, 2).float() / 255
    images, labels = (images - images.mean()) / images.std(), torch.from_numpy(packed.labels).to(device)
    while True:
        for rows in torch.split(torch.randperm(len(labels), device=device), BATCH):
            yield (images[rows].flip(3) if torch.rand(()) < 0.5 else images[rows]), labels[rows]


def plain_rate(network: nn.Module, batches: Iterator[Any], steps: int, device: torch.device) -> float:
    """Images a second of the loop of torch's tutorials, in float32, after some steps that do not count."""
    network.to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.02, 0.9, weight_decay=5e-4, nesterov=True)

    def step(number: int) -> int:
        count = 0
        for images, labels in islice(batches, number):
            optimizer.zero_grad()
            loss = cross_entropy(network(images.to(device)), labels.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            count += len(labels)
        return count

    step(max(1, steps // 4))
    counted: list[int] = []
    taken = seconds(lambda: counted.append(step(steps)), device)
    return counted[0] / taken


def without_end(loader: DataLoader[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def training_rates(
    train: Packed, validation: Packed, device: torch.device, epochs: int | None
) -> list[tuple[str, str]]:
    """Images a second of ours and of the plain loops."""
    settings = preset(0, epochs or 4)
    ends: list[float] = []

    def after_epoch(epoch: Epoch) -> None:
        synchronize(device)
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fitted(settings, train, validation, device, Path(folder) / "rates.pt", after_epoch)
    ends = [start, *ends] if len(ends) == 1 else ends
    ours = len(train.labels) * (len(ends) - 1) / (ends[-1] - ends[0])
    rows = [("ours: epochs of fit, validation and checkpoints too", f"{ours:,.0f} img/s")]
    torch.use_deterministic_algorithms(False)
    workers = min(8, os.cpu_count() or 1)
    loader = DataLoader(Pictures(train), BATCH, shuffle=True, num_workers=workers, pin_memory=device.type == "cuda")
    steps = min(LOADER_STEPS, len(loader))
    for name, batches in (("torchvision, DataLoader", without_end(loader)), ("resident", resident(train, device))):
        rate = plain_rate(fresh(settings, train, device).network, batches, steps, device)
        rows.append((f"plain loop, {name}, float32", f"{rate:,.0f} img/s ({ours / rate:.1f}x)"))
    use_deterministic_algorithms()
    return rows


def time_to_accuracy(
    parts: tuple[Packed, Packed, Packed], device: torch.device, seed: int, epochs: int | None
) -> tuple[str, str]:
    """The preset with a seed."""
    train, validation, test = parts
    models: list[Normalized] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "training.pt"
        taken = seconds(
            lambda: models.append(fitted(preset(seed, epochs), train, validation, device, checkpoint)), device
        )
    images, labels = torch.from_numpy(test.images).to(device), torch.from_numpy(test.labels).to(device)
    _, accuracy = score(models[0], images, labels, torch.float32, Processes(0, 1, device))
    return f"preset small-images, seed {seed}", f"{taken:.1f} s, {accuracy:.2%} of {len(labels):,} test images"


def feature_rate(device: torch.device, count: int) -> tuple[str, str]:
    """Of EfficientNet-Lite0 on random images of 224 pixels, from the array in memory to rows in memory."""
    inner = build_network(LITE0, {"pooling": "mean"}, 10, 3, 224, True)
    try:
        source = load_pretrained(inner, LITE0, "imagenet")
    except DarkroomError as error:  # Its speed is the same.
        source = f"random weights, since {str(error)[:60]}…"
    model = Normalized(inner, [0.5] * 3, [0.5] * 3).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = np.random.default_rng(0).integers(0, 256, (count, 224, 224, 3), np.uint8)
    precision, _ = resolve_precision("auto", device, model, torch.from_numpy(images[:1]).to(device))
    features(model, images[: min(count, 512)], precision, cache=None)
    taken = seconds(lambda: features(model, images, precision, cache=None), device)
    return f"features of {count:,} photographs, {source}", f"{taken:.1f} s, {count / taken:,.0f} img/s"


def resumed(train: Packed, validation: Packed, device: torch.device, folder: Path) -> tuple[str, str]:
    """Whether a training that is ended after its second epoch and begun again has the weights of one that was not."""
    settings = preset(0, 4)

    def end(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = fitted(settings, train, validation, device, folder / "whole.pt")
    with contextlib.suppress(KeyboardInterrupt):
        fitted(settings, train, validation, device, folder / "parts.pt", end)
    again = fitted(settings, train, validation, device, folder / "parts.pt")
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    different = sum(not torch.equal(one, other) for one, other in pairs)
    return "resumed after 2 of 4 epochs", "equal bits" if not different else f"{different} tensors differ"


def ceilings(device: torch.device) -> list[tuple[str, str]]:
    """A large bfloat16 product, and a copy within the device's memory."""
    size = 8192 if device.type == "cuda" else 512
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    many = torch.empty(2**28 if device.type == "cuda" else 2**22, dtype=torch.uint8, device=device)
    rows = []
    for name, work, amount, unit in (
        ("bfloat16 product", lambda: one @ one, 2 * size**3 / 1e12, "TFLOP/s"),
        ("memory, read and written", many.clone, 2 * len(many) / 1e9, "GB/s"),
    ):
        seconds(work, device)
        rows.append((name, f"{amount / min(seconds(work, device) for _ in range(5)):,.4g} {unit}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cifar10", type=Path, metavar="CIFAR10_ZIP")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--images", type=int, help="of each split (all)")
    parser.add_argument("--epochs", type=int, help="of each training (the preset's)")
    parser.add_argument("--photographs", type=int, default=10_000)
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    use_deterministic_algorithms()
    keep_freed_memory()
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{card}, torch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} cores", flush=True)
    start, rows = time.perf_counter(), ceilings(device)
    parts = read_cifar10(chosen.cifar10, chosen.images)
    rows.append(("CIFAR-10 decoded", f"{time.perf_counter() - start:.1f} s"))
    train, validation, _ = parts
    few = replace(train, images=train.images[:5000], labels=train.labels[:5000], ids=train.ids[:5000])
    with tempfile.TemporaryDirectory() as folder:
        works: list[Callable[[], list[tuple[str, str]]]] = [
            lambda: [resumed(few, validation, device, Path(folder))],
            lambda: [feature_rate(device, chosen.photographs)],
            lambda: training_rates(train, validation, device, chosen.epochs),
        ]
        works += [lambda seed=seed: [time_to_accuracy(parts, device, seed, chosen.epochs)] for seed in chosen.seeds]  # type: ignore[misc]
        for work in works:
            rows += work()
            print(f"after {time.perf_counter() - start:.0f} s: {rows[-1][0]}: {rows[-1][1]}", flush=True)
    print_table(("", card), rows)


if __name__ == "__main__":
    main()
