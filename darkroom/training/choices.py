"""The values for `auto` in the settings of training, each with its reason. A value that the user set is never changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.networks import CAPSULE_NET, LBFGS, SMALL_IMAGE_NET
from darkroom.training.mirrored import MirroredClasses, mirrors
from darkroom.training.record import UsedSetting

# Fewer steps an epoch leave too few for the running statistics of batch normalisation to settle.
LEAST_STEPS = 20
LARGEST_BATCH, SMALLEST_BATCH = 256, 16

# Batch size of the rates below, which are the highest of a one-cycle schedule.
IMAGES_OF_RATES = 128
RATES = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "muon": 0.05}
TRANSFORMER_RATES = RATES | {"sgd": 0.02, "adam": 3e-4, "adamw": 5e-4, "rmsprop": 3e-4}
# Networks without normalisation do not start to learn at the rates of those that have it.
PLAIN_RATES = RATES | {"sgd": 0.01, "adam": 2e-4, "adamw": 2e-4, "rmsprop": 1e-4}
FINE_TUNING_RATES = {"sgd": 0.01, "adam": 3e-4, "adamw": 3e-4, "rmsprop": 1e-4, "muon": 0.005}
HEAD_RATES = {"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "muon": 0.02}
DECAYS = {"sgd": 5e-4, "adam": 0.0, "adamw": 0.05, "rmsprop": 0.0, "muon": 0.05}

# Networks that are trained as transformers are, by the beginnings of their names; ConvNeXts were designed for it.
TRANSFORMERS = ("beit", "cait", "convnext", "deit", "eva", "levit", "maxvit", "mixer", "swin", "vit", "xcit")

# Networks without normalisation, by the beginnings of their names; those that end in _bn have it.
PLAIN = ("alexnet", "squeezenet", "vgg")

# The reason for a value that the user set.
SET = "set"

# The settings that `make_choices` takes.
CHOSEN_FROM = {
    "network", "weights", "freeze", "unfreeze", "batch_size", "loss", "optimizer", "learning_rate", "weight_decay",
    "flip", "albumentations",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One setting as it is used: its name, without `train.`, its value, and the reason for it."""

    name: str
    value: Any
    reason: str

    @property
    def line(self) -> str:
        """For the console; empty where the user set it."""
        return "" if self.reason == SET else f"{self.name} {self.value}: {self.reason}"

    @property
    def used(self) -> UsedSetting:
        """For the record."""
        return UsedSetting(self.name, str(self.value), "" if self.reason == SET else self.reason)


def choose_batch_size(requested: int | str, images: int) -> Choice:
    """Images a step: 256, halved until an epoch has at least 20 steps, but not below 16."""
    if isinstance(requested, int):
        return Choice("batch_size", requested, SET)
    size = LARGEST_BATCH
    while size > SMALLEST_BATCH and images // size < LEAST_STEPS:
        size //= 2
    if size == LARGEST_BATCH:
        return Choice(
            "batch_size", size, f"the largest that auto takes; {images:,} images make {images // size:,} steps of it"
        )
    return Choice("batch_size", size, f"{images:,} images would make fewer than {LEAST_STEPS} steps of {2 * size}")


def choose_loss(requested: str, network: str) -> Choice:
    """Margin loss for the capsule network, cross-entropy for all others."""
    if requested != "auto":
        return Choice("loss", requested, SET)
    if network == CAPSULE_NET:
        return Choice("loss", "margin", "the outputs of capsules are lengths")
    return Choice("loss", "cross_entropy", "the standard for classes")


def choose_optimizer(requested: str, network: str, pretrained: bool, regression: bool = False) -> Choice:
    """By network, roughly as in published recipes; `regression`: the last layer alone is fitted, on images as they are."""
    if requested != "auto":
        return Choice("optimizer", requested, SET)
    if regression:
        return Choice("optimizer", LBFGS, "logistic regression: only the last layer is trained, on images as they are")
    if pretrained:
        return Choice("optimizer", "adamw", "small steps for pretrained weights")
    if is_transformer(network):
        return Choice("optimizer", "adamw", "transformers train badly with sgd")
    if network == SMALL_IMAGE_NET:
        return Choice("optimizer", "muon", "trains fastest here")
    if network == CAPSULE_NET:
        return Choice("optimizer", "adam", "as published for capsules")
    return Choice("optimizer", "sgd", "the standard for convolutional networks")


def choose_rate(
    requested: float | str, optimizer: str, network: str, pretrained: bool, head_alone: bool, batch_size: int
) -> Choice:
    """The highest learning rate: by optimizer, network, what is trained, and batch size.

    In proportion to the batch for sgd (Goyal et al. 2017, arXiv 1706.02677), to its root for the others (Malladi et al. 2022,
    arXiv 2205.10287).
    """
    if not isinstance(requested, str):
        return Choice("learning_rate", requested, SET)
    if optimizer == LBFGS:
        return Choice("learning_rate", 0.0, "lbfgs finds the length of its steps")
    if head_alone:
        rates, trained = HEAD_RATES, "only the last layer is trained"
    elif pretrained:
        rates, trained = FINE_TUNING_RATES, "pretrained weights"
    elif is_transformer(network):
        rates, trained = TRANSFORMER_RATES, "a transformer"
    elif network.removeprefix("timm/").startswith(PLAIN) and not network.endswith("_bn"):
        rates, trained = PLAIN_RATES, f"{network}, which has no normalisation"
    else:
        rates, trained = RATES, network
    power = 1.0 if optimizer == "sgd" else 0.5
    rate = float(f"{rates[optimizer] * (batch_size / IMAGES_OF_RATES) ** power:.2g}")
    return Choice("learning_rate", rate, f"{optimizer}, {trained}, steps of {batch_size}")


def choose_decay(requested: float | str, optimizer: str) -> Choice:
    """The weight decay, by what it means for the optimizer."""
    if not isinstance(requested, str):
        return Choice("weight_decay", requested, SET)
    if optimizer == LBFGS:
        return Choice("weight_decay", 0.0, "the strength of the penalty is chosen by cross-validation")
    return Choice("weight_decay", DECAYS[optimizer], f"the standard for {optimizer}")


def choose_flip(
    requested: bool | str, albumentations: list[dict[str, Any]], find_mirrored: Callable[[], MirroredClasses]
) -> Choice:
    """On, unless two classes are mirror images of each other; what is set stays, with a warning where they are.

    Args:
        requested: as set.
        albumentations: transforms, which may mirror too.
        find_mirrored: measures; called where something would mirror.
    """
    by_transform = mirrors(albumentations)
    if requested is False and not by_transform:
        return Choice("flip", False, SET)
    mirrored = find_mirrored()
    if not mirrored.pairs:
        return Choice(
            "flip", requested is not False, SET if requested != "auto" else "no classes are mirror images of others"
        )
    if by_transform:
        warning = f"warning: a transform of train.albumentations mirrors, and {mirrored.text}"
        return Choice("flip", requested is True, f"{warning}: the network can't tell them apart, so take it out")
    if requested is True:
        return Choice(
            "flip",
            True,
            f"warning: {mirrored.text}: the network can't tell them apart, so set train.flip=auto or false",
        )
    return Choice("flip", False, mirrored.text)


def is_transformer(network: str) -> bool:
    """Whether a network is trained with a transformer's optimizer and rate."""
    return network.removeprefix("timm/").startswith(TRANSFORMERS)


@dataclass(frozen=True)
class Choices:
    """The settings that may be `auto`, resolved."""

    batch_size: Choice
    loss: Choice
    optimizer: Choice
    learning_rate: Choice
    weight_decay: Choice
    flip: Choice

    def values(self) -> dict[str, Any]:
        """The name and value of each."""
        return {choice.name: choice.value for choice in vars(self).values()}

    def lines(self) -> list[str]:
        """One line for each setting that was chosen for the user."""
        return [choice.line for choice in vars(self).values() if choice.line]

    def used(self, settings: Mapping[str, Any], *later: Choice) -> list[UsedSetting]:
        """All settings as they were used, those that could be chosen for the user first.

        Args:
            settings: all of `train`.
            later: what was chosen after the training.
        """
        chosen = vars(self)
        given = [UsedSetting(name, str(value), "") for name, value in settings.items() if name not in chosen]
        return [*(choice.used for choice in (*chosen.values(), *later)), *given]


def make_choices(
    *,
    images: int,
    classes: int,
    network: str,
    weights: str,
    freeze: str | int,
    unfreeze: Sequence[int],
    batch_size: int | str,
    loss: str,
    optimizer: str,
    learning_rate: float | str,
    weight_decay: float | str,
    flip: bool | str,
    albumentations: list[dict[str, Any]],
    find_mirrored: Callable[[], MirroredClasses],
    regression: bool = False,
) -> Choices:
    """Resolve what is `auto`.

    Args:
        images: that are trained on.
        classes: how many there are.
        network, weights, freeze, unfreeze: as set.
        batch_size, loss, optimizer, learning_rate, weight_decay, flip: as set; `auto` where the choice is ours.
        albumentations: as set.
        find_mirrored: measures which classes are mirror images of each other.
        regression: whether the last layer can be fitted by logistic regression.

    Raises:
        DarkroomError: for the loss of two classes, where there are more.
    """
    if loss == "binary" and classes != 2:
        raise DarkroomError(
            f"train.loss=binary is for 2 classes, and there are {classes}: set train.loss=cross_entropy"
        )
    pretrained, head_alone = weights != "none", freeze == "backbone" and not unfreeze
    size = choose_batch_size(batch_size, images)
    rule = choose_optimizer(optimizer, network, pretrained, regression)
    return Choices(
        size,
        choose_loss(loss, network),
        rule,
        choose_rate(learning_rate, rule.value, network, pretrained, head_alone, size.value),
        choose_decay(weight_decay, rule.value),
        choose_flip(flip, albumentations, find_mirrored),
    )
