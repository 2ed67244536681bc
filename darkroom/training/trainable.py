"""What is trained: a whole network or some of its layer groups on images, or the last layer on stored features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from darkroom.inference.features import features
from darkroom.network.cnn import SmallImageNet
from darkroom.network.layer_groups import Part, head, parts
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of


def trainable(parts: Sequence[Part], freeze: str | int, unfreeze: Sequence[int], epoch: int) -> list[Part]:
    """The parts that learn in an epoch, in the order of the network.

    Args:
        parts: of the network, from the input to the head.
        freeze: `none`, `backbone` (all but the head), or how many parts from the input on.
        unfreeze: epochs, in order; from each on one more part learns, the one nearest to the head first.
        epoch: counted from 1.

    Raises:
        DarkroomError: when nothing would be left to learn, or when there are more epochs than frozen parts.
    """
    frozen = {"none": 0, "backbone": len(parts) - 1}.get(str(freeze))
    if frozen is None:
        frozen = int(freeze)
    if frozen >= len(parts):
        raise DarkroomError(
            f"train.freeze is {frozen}, and this network has {len(parts)} stages with its last layer: set "
            f"{len(parts) - 1} or less"
        )
    if len(unfreeze) > frozen:
        raise DarkroomError(
            f"train.unfreeze names {len(unfreeze)} epochs, and {frozen} stages are frozen (train.freeze={freeze}): name "
            f"{frozen} or fewer"
        )
    return list(parts[frozen - sum(epoch >= start for start in unfreeze) :])


def set_frozen(network: nn.Module, learning: Sequence[Part]) -> None:
    """Let some parts learn and freeze all others, in place; to be called after `network.train()`, which undoes it.

    Frozen modules are in eval mode: their batch normalisation keeps its running statistics, which the frozen weights were
    made with, and nothing is dropped in them.
    """
    parameters = {name for part in learning for name in part.parameters}
    modules = {name for part in learning for name in part.modules}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in parameters)
    for name, module in network.named_modules():
        if name and name not in modules and not any(learner.startswith(f"{name}.") for learner in modules):
            module.eval()


def rate_scale(parts: Sequence[Part], layer_decay: float) -> dict[str, float]:
    """Parameter name → what its learning rate is multiplied by: 1 in the head, `layer_decay` times less for each part before.

    Howard and Ruder 2018 (https://arxiv.org/abs/1801.06146, section 3.1): lower layers hold what is general, and change less.
    """
    steps = range(len(parts) - 1, -1, -1)
    return {name: layer_decay**step for step, part in zip(steps, parts, strict=True) for name in part.parameters}


# Enough for the covariance of 12 values.
WHITENING_IMAGES = 5000


@dataclass(frozen=True)
class Learner:
    """What the loop trains.

    Attributes:
        model: takes `train` and gives logits.
        train, validation: images uint8 [N, S, S, C], or features float32 [N, F].
        learning: sets, before an epoch (counted from 1), what learns in it.
        rate_scale: parameter name of `model` → what its rate is multiplied by.
        head: names of the last layer's parameters.
        told: how it learns, in words; None for a whole network.
    """

    model: nn.Module
    train: Tensor
    validation: Tensor
    learning: Callable[[int], None]
    rate_scale: Mapping[str, float]
    head: frozenset[str]
    told: str | None


def whole_network(
    model: Normalized, train: UInt8s, validation: UInt8s, freeze: str | int, unfreeze: list[int], layer_decay: float
) -> Learner:
    """A network that learns on images, as much of it as is not frozen.

    Args:
        model: freshly made or loaded.
        train, validation: uint8 [N, S, S, C].
        freeze, unfreeze, layer_decay: as in `darkroom.settings.train.Train`.
    """
    network = model.network
    # What a network fixes for good, such as a whitening, belongs to no part that learns.
    learns = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    found = [replace(part, parameters=[name for name in part.parameters if name in learns]) for part in parts(network)]
    scales = {f"network.{name}": scale for name, scale in rate_scale(found, layer_decay).items()}

    def learning(epoch: int) -> None:
        model.train()
        set_frozen(network, trainable(found, freeze, unfreeze, epoch))

    first = len(trainable(found, freeze, unfreeze, 1))
    told = f"{first} of the network's {len(found)} parts learn at first" if first < len(found) else None
    images = torch.from_numpy(np.array(train)), torch.from_numpy(np.array(validation))
    return Learner(
        model, *images, learning, scales, frozenset(f"network.{name}" for name in found[-1].parameters), told
    )


def head_on_features(model: Normalized, train: UInt8s, validation: UInt8s, precision: torch.dtype) -> Learner:
    """The last layer of a network, on features of images that are not augmented: they are worked out once.

    Args:
        model: loaded; the learner's model is its last layer, so that what is learnt is in place.
        train, validation: uint8 [N, S, S, C].
        precision: of the multiplications behind the features.
    """
    last = head(model.network)
    rows = features(model, train, precision), features(model, validation, precision)
    names = frozenset(name for name, _ in last.named_parameters())
    told = (
        f"the features of {len(train) + len(validation):,} images are worked out once, and the last layer alone learns"
    )

    def learning(epoch: int) -> None:
        last.train()

    return Learner(last, *rows, learning, {}, names, told)


def whiten_first_layer(model: Normalized, train: UInt8s, seed: int) -> None:
    """Set the first layer of a fresh `small_image_net` from training images uint8 [N, S, S, C]; other networks have none."""
    if isinstance(model.network, SmallImageNet):
        chosen = np.random.default_rng(seed_of("whitening", seed)).permutation(len(train))[:WHITENING_IMAGES]
        model.network.init_whitening(model.normalised(torch.from_numpy(train[np.sort(chosen)])))
