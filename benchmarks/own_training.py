"""A training of ours as the train stage assembles it, for the benchmarks that look at its steps."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from benchmarks.repository import ROOT
from darkroom.images.pack import Packed, load_packed
from darkroom.inference.device import deterministic, keep_freed_memory, settle_precision, spare_depthwise
from darkroom.network.load import Normalized
from darkroom.network.zoo import build_network
from darkroom.settings.networks import own_settings
from darkroom.settings.read import read_params
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import TrainingBatches
from darkroom.training.choices import make_choices
from darkroom.training.loop import Plan
from darkroom.training.losses import make_loss
from darkroom.training.optimizers import make_optimizer, make_schedule
from darkroom.training.state import Training
from darkroom.training.trainable import whiten_first_layer, whole_network

BATCH = 128
# More epochs than any benchmark runs.
EPOCHS = 1000


@dataclass(frozen=True)
class OwnTraining:
    """What `darkroom.training.loop.fit` takes, and the images of the split."""

    training: Training
    batches: TrainingBatches
    plan: Plan
    packed: Packed


def default_settings(network: str) -> Train:
    """The section `train` of params.yaml, with another network, and of its augmentation flip and shift alone."""
    settings = read_params(ROOT / "params.yaml").train
    plain = {field.name: field.default for field in fields(Augmentation) if field.name not in ("flip", "shift")}
    return settings.model_copy(update={"network": network, **plain})


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
    deterministic()
    keep_freed_memory()
    built = build_network(network, network_settings(network), classes, channels, size)
    model = Normalized(built, [0.5] * channels, [0.25] * channels)
    whiten_first_layer(model, packed.images, settings.seed)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.from_numpy(packed.images[:1].copy())
    precision, _ = settle_precision(settings.precision, torch.device("cpu"), model, image)
    if precision == torch.bfloat16:
        spare_depthwise(model)
    learner = whole_network(model, packed.images, packed.images[:1], "none", [], 1.0)
    choices = make_choices(
        network=network,
        images=len(packed.labels),
        pretrained=False,
        head_alone=False,
        batch_size=BATCH,
        loss="auto",
        optimizer="sgd",
        learning_rate="auto",
        weight_decay="auto",
    )
    rate, decay = choices.learning_rate.value, choices.weight_decay.value
    optimizer = make_optimizer("sgd", model, rate, decay, learner.rate_scale, learner.head)
    recipe = Augmentation(**{field.name: getattr(settings, field.name) for field in fields(Augmentation)})
    batches = kind(learner.train, torch.from_numpy(packed.labels), packed.keys(), BATCH, recipe, settings.seed)
    schedule = make_schedule("cosine", optimizer, EPOCHS * len(batches), 0, 1, 1.0)
    training = Training(model, optimizer, schedule, None, torch.amp.GradScaler("cpu", enabled=False))
    loss = make_loss(choices.loss.value, 0.0, 0.0, None)
    return OwnTraining(
        training, batches, Plan(EPOCHS, EPOCHS, loss, precision, 0.0, settings.seed, learner.learning), packed
    )
