"""Optimizers and learning-rate schedules by name."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def make_optimizer(name: str, network: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """`adam`, `adamw`, `rmsprop`, or `sgd` with Nesterov momentum 0.9.

    Weights of two and more dimensions decay; biases and the scales of normalisations do not (He et al. 2019, "Bag of
    Tricks for Image Classification", section 3.1).
    """
    decaying = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    classes: dict[str, type[torch.optim.Adam | torch.optim.RMSprop]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
    }
    return classes[name](groups, lr=learning_rate)


def make_schedule(name: str, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """The learning rate of each step.

    Args:
        name: `constant`, or `one-cycle` (Smith and Topin 2018, "Super-Convergence"): a cosine up to the optimizer's rate in
            the first quarter of the steps, a cosine down to nothing in the rest. torch's own OneCycleLR divides by zero
            for trainings of four steps, and moves the momentum of optimizers that have one.
        steps: of the whole training.
    """
    if name == "constant":
        return LambdaLR(optimizer, lambda step: 1.0)

    def cycle(step: int) -> float:
        position = (step + 0.5) / steps
        if position < 0.25:
            return 0.04 + 0.96 * _cosine(position / 0.25)
        return _cosine((1 - position) / 0.75)

    return LambdaLR(optimizer, cycle)


def _cosine(share: float) -> float:
    """Half a cosine wave from 0 at 0 to 1 at 1; past either end it stays there."""
    return 0.5 - 0.5 * math.cos(math.pi * min(max(share, 0.0), 1.0))
