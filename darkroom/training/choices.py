"""What `auto` in the training's settings comes to, each with its reason. What the user set is never touched."""

from dataclasses import dataclass
from typing import Any

from darkroom.settings.networks import CAPSULE_NET, SMALL_IMAGE_NET

# Fewer steps an epoch leave too few for the running statistics of batch normalisation to settle.
FEW_STEPS = 20
LARGEST_BATCH, SMALLEST_BATCH = 256, 16

# The highest rate of a one-cycle schedule, for steps of so many images.
IMAGES_OF_RATES = 128
RATES = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "muon": 0.05}
TRANSFORMER_RATES = RATES | {"sgd": 0.02, "adam": 3e-4, "adamw": 5e-4, "rmsprop": 3e-4}
# Networks without normalisation do not start to learn at the rates of those that have it.
PLAIN_RATES = RATES | {"sgd": 0.01, "adam": 2e-4, "adamw": 2e-4, "rmsprop": 1e-4}
FINE_TUNING_RATES = {"sgd": 0.01, "adam": 3e-4, "adamw": 3e-4, "rmsprop": 1e-4, "muon": 0.005}
HEAD_RATES = {"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "muon": 0.02}
DECAYS = {"sgd": 5e-4, "adam": 0.0, "adamw": 0.05, "rmsprop": 0.0, "muon": 0.05}

# Networks that learn as transformers do, by what their names begin with; ConvNeXts were made to.
TRANSFORMERS = ("beit", "cait", "convnext", "deit", "eva", "levit", "maxvit", "mixer", "swin", "vit", "xcit")

# Networks without normalisation, by what their names begin with; those that end in _bn have it.
PLAIN = ("alexnet", "squeezenet", "vgg")

# The reason of a setting that the user set.
SET = "set"


@dataclass(frozen=True)
class Choice:
    """One setting as it was used: `train.<name>`, its value, and why it has it."""

    name: str
    value: Any
    reason: str


def choose_batch_size(wish: int | str, images: int) -> Choice:
    """Images a step: 256, halved until an epoch has at least 20 steps, but not below 16."""
    if isinstance(wish, int):
        return Choice("batch_size", wish, SET)
    size = LARGEST_BATCH
    while size > SMALLEST_BATCH and images // size < FEW_STEPS:
        size //= 2
    if size == LARGEST_BATCH:
        return Choice("batch_size", size, f"the usual one; {images:,} images make {images // size:,} steps of it")
    return Choice("batch_size", size, f"{images:,} images would make fewer than {FEW_STEPS} steps of {2 * size}")


def choose_loss(wish: str, network: str) -> Choice:
    """Margin loss for the capsule network, cross-entropy for all others."""
    if wish != "auto":
        return Choice("loss", wish, SET)
    if network == CAPSULE_NET:
        return Choice("loss", "margin", "capsules answer with lengths")
    return Choice("loss", "cross_entropy", "the usual one")


def choose_optimizer(wish: str, network: str, pretrained: bool) -> Choice:
    """By the network: what its published recipes use, roughly."""
    if wish != "auto":
        return Choice("optimizer", wish, SET)
    if pretrained:
        return Choice("optimizer", "adamw", "gentle with weights that are good already")
    if is_transformer(network):
        return Choice("optimizer", "adamw", "transformers hardly learn with sgd")
    if network == SMALL_IMAGE_NET:
        return Choice("optimizer", "muon", "learns fastest here")
    if network == CAPSULE_NET:
        return Choice("optimizer", "adam", "as published for capsules")
    return Choice("optimizer", "sgd", "the usual one for convolutions")


def choose_rate(
    wish: float | str, optimizer: str, network: str, pretrained: bool, head_alone: bool, batch_size: int
) -> Choice:
    """The highest learning rate: by optimizer, network and what learns, and with the batch.

    In proportion to the batch for sgd (Goyal et al. 2017, arXiv 1706.02677), to its root for the others (Malladi et al. 2022,
    arXiv 2205.10287).
    """
    if not isinstance(wish, str):
        return Choice("learning_rate", wish, SET)
    if head_alone:
        rates, learner = HEAD_RATES, "a last layer alone"
    elif pretrained:
        rates, learner = FINE_TUNING_RATES, "weights that are good already"
    elif is_transformer(network):
        rates, learner = TRANSFORMER_RATES, "a transformer"
    elif network.removeprefix("timm/").startswith(PLAIN) and not network.endswith("_bn"):
        rates, learner = PLAIN_RATES, f"{network}, which has no normalisation"
    else:
        rates, learner = RATES, network
    power = 1.0 if optimizer == "sgd" else 0.5
    rate = float(f"{rates[optimizer] * (batch_size / IMAGES_OF_RATES) ** power:.2g}")
    return Choice("learning_rate", rate, f"{optimizer}, {learner}, steps of {batch_size}")


def choose_decay(wish: float | str, optimizer: str) -> Choice:
    """The weight decay, by what it means for the optimizer."""
    if not isinstance(wish, str):
        return Choice("weight_decay", wish, SET)
    return Choice("weight_decay", DECAYS[optimizer], f"the usual one for {optimizer}")


def is_transformer(network: str) -> bool:
    """Whether a network wants a transformer's optimizer and rate."""
    return network.removeprefix("timm/").startswith(TRANSFORMERS)


@dataclass(frozen=True)
class Choices:
    """The settings that may be `auto`, settled."""

    batch_size: Choice
    loss: Choice
    optimizer: Choice
    learning_rate: Choice
    weight_decay: Choice

    def told(self) -> list[str]:
        """Those that were made for the user, in words."""
        made = [choice for choice in vars(self).values() if choice.reason != SET]
        return [f"{choice.name} {choice.value}: {choice.reason}" for choice in made]


def make_choices(
    *,
    network: str,
    images: int,
    pretrained: bool,
    head_alone: bool,
    batch_size: int | str,
    loss: str,
    optimizer: str,
    learning_rate: float | str,
    weight_decay: float | str,
) -> Choices:
    """Settle what is `auto`.

    Args:
        network: its name.
        images: that are trained on.
        pretrained: whether the weights come from another training.
        head_alone: whether the last layer alone learns.
        batch_size, loss, optimizer, learning_rate, weight_decay: as set; `auto` where the choice is ours.
    """
    size = choose_batch_size(batch_size, images)
    rule = choose_optimizer(optimizer, network, pretrained)
    return Choices(
        size,
        choose_loss(loss, network),
        rule,
        choose_rate(learning_rate, rule.value, network, pretrained, head_alone, size.value),
        choose_decay(weight_decay, rule.value),
    )
