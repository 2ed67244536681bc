"""What learns, and on what: a whole network on images, or its last layer on features that were worked out once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from darkroom.inference.features import features
from darkroom.network.layer_groups import head, parts
from darkroom.network.normalized import Normalized
from darkroom.network.small_image_net import SmallImageNet
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.seeding import seed_of
from darkroom.training.freezing import rate_scale, set_frozen, trainable

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
