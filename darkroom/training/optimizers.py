"""Optimizers by name."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from darkroom.training.muon import Muon

MOMENTUM = 0.9

# Muon steps in units of a layer's own size; what it leaves to Adam learns at this share of its rate (measured on CIFAR-10,
# docs/decisions/2026-11-23-training.md).
ADAM_SHARE_OF_MUON = 0.2


def make_optimizer(
    name: str,
    network: nn.Module,
    learning_rate: float,
    weight_decay: float,
    rate_scale: Mapping[str, float],
    head: frozenset[str],
) -> torch.optim.Optimizer:
    """`adam`, `adamw`, `muon`, `rmsprop`, or `sgd` with Nesterov momentum 0.9.

    Weights of two and more dimensions decay; biases and the scales of normalisations do not (He et al. 2019, "Bag of
    Tricks for Image Classification", section 3.1).

    Args:
        network: all its parameters get a place; those without a gradient are passed over at each step.
        learning_rate: the highest of the schedule.
        weight_decay: L2 penalty for adam, rmsprop and sgd, decoupled for adamw and muon.
        rate_scale: parameter name → what its rate is multiplied by; 1 where a name is missing.
        head: names of the last layer's parameters, which muon leaves to Adam, like everything of one dimension.
    """
    groups: dict[tuple[bool, bool, float], dict[str, Any]] = {}
    for key, parameter in network.named_parameters():
        decays, scale = parameter.ndim > 1, rate_scale.get(key, 1.0)
        orthogonal = name == "muon" and decays and key not in head
        rate = learning_rate * scale * (ADAM_SHARE_OF_MUON if name == "muon" and not orthogonal else 1.0)
        group = {"params": [], "lr": rate, "weight_decay": weight_decay if decays else 0.0}
        if name == "muon":
            group["orthogonal"] = orthogonal
        groups.setdefault((decays, orthogonal, scale), group)["params"].append(parameter)
    found = list(groups.values())
    if name == "muon":
        return Muon(found, learning_rate, MOMENTUM)
    if name == "sgd":
        return torch.optim.SGD(found, lr=learning_rate, momentum=MOMENTUM, nesterov=True)
    classes: dict[str, type[torch.optim.Adam | torch.optim.RMSprop]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
    }
    return classes[name](found, lr=learning_rate)
