"""A training of ours as the train stage assembles it, for the benchmarks that look at its steps."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from benchmarks.repository import ROOT
from darkroom.images.pack import Packed, load_packed
from darkroom.inference.device import (
    keep_freed_memory,
    resolve_precision,
    use_deterministic_algorithms,
)
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.settings.networks import own_settings
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import TrainingBatches
from darkroom.training.choices import make_choices
from darkroom.training.fit import image_loss, new_train_state
from darkroom.training.loop import FitConfig
from darkroom.training.losses import ImageLoss
from darkroom.training.mirrored import MirroredClasses
from darkroom.training.state import TrainState
from darkroom.training.trainable import TrainableModel, make_trainable, whiten_first_layer

BATCH = 128
# More epochs than any benchmark runs.
EPOCHS = 1000


@dataclass(frozen=True)
class OwnTraining:
    """What `darkroom.training.loop.run_epochs` takes, and the images of the split."""

    state: TrainState
    trainable: TrainableModel
    batches: TrainingBatches
    loss: ImageLoss
    config: FitConfig
    packed: Packed


def default_settings(network: str) -> Train:
    """The section `train` of params.yaml, with another network, and of its augmentation flip and shift alone."""
    settings = read_params(ROOT / "params.yaml").train.model_copy(update={"flip": True})
    plain = {field.name: field.default for field in fields(Augmentation) if field.name not in ("flip", "shift")}
    return settings.model_copy(update={"network": network, **plain}).resolved()


def network_settings(network: str) -> dict[str, int | float | str]:
    """What a network is built with."""
    settings = default_settings(network)
    return {name: getattr(settings, name) for name in own_settings(network)}


def assemble(
    network: str, split: Path, images: int | None = None, kind: Callable[..., TrainingBatches] = TrainingBatches
) -> OwnTraining:
    """A fresh training of a network on the first images of a packed split, on the processor.

    Args:
        network: its name; it learns by SGD with momentum on batches of 128, flipped and shifted, and all other settings are
            those of params.yaml.
        split: what preprocess wrote for it, as data/preprocess/train.
        images: how many; all where it is None.
        kind: makes the batches.
    """
    settings, packed = default_settings(network), load_packed(split)
    packed = Packed(packed.images[:images], packed.labels[:images], packed.ids[:images])
    size, channels, classes = packed.images.shape[1], packed.images.shape[3], int(packed.labels.max()) + 1
    torch.manual_seed(settings.seed)
    use_deterministic_algorithms()
    keep_freed_memory()
    built = build_network(network, network_settings(network), classes, channels, size)
    model = Normalized(built, [0.5] * channels, [0.25] * channels)
    whiten_first_layer(model, packed.images, settings.seed)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.from_numpy(packed.images[:1].copy())
    precision, _ = resolve_precision(settings.precision, torch.device("cpu"), model, image)
    trainable = make_trainable(
        model,
        packed.images,
        packed.images[:1],
        device=torch.device("cpu"),
        precision=precision,
        augmented=True,
        freeze="none",
        unfreeze=[],
        layer_decay=1.0,
    )
    automatic = {
        "batch_size": BATCH,
        "loss": "auto",
        "optimizer": "sgd",
        "learning_rate": "auto",
        "weight_decay": "auto",
    }
    augmented = {"flip": True, "albumentations": [], "find_mirrored": lambda: MirroredClasses(())}
    start = {"network": network, "weights": "none", "freeze": "none", "unfreeze": []}
    choices = make_choices(images=len(packed.labels), classes=classes, **start, **automatic, **augmented)  # type: ignore[arg-type]
    augmentation = Augmentation(**{field.name: getattr(settings, field.name) for field in fields(Augmentation)})
    values = settings.model_dump() | choices.values() | {"augmentation": augmentation, "classes": classes}
    values |= {
        "epochs": EPOCHS,
        "patience": EPOCHS,
        "schedule": "cosine",
        "warmup": 0.0,
        "ema": 0.0,
        "clip_gradient": 0.0,
    }
    values |= {"label_smoothing": 0.0, "balance": "none"}
    config = FitConfig(**{field.name: values[field.name] for field in fields(FitConfig)})
    batches = kind(trainable.train, torch.from_numpy(packed.labels), packed.keys(), BATCH, augmentation, settings.seed)
    state = new_train_state(trainable, len(batches), config, torch.device("cpu"))
    loss = image_loss(packed, config, torch.device("cpu"))
    return OwnTraining(state, trainable, batches, loss, config, packed)
