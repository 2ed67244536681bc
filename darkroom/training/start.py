"""A training before its first step."""

import torch

from darkroom.training.ema import Average
from darkroom.training.optimizers import make_optimizer
from darkroom.training.schedules import make_schedule
from darkroom.training.state import Training
from darkroom.training.trainable import Learner


def new_training(
    learner: Learner,
    optimizer: tuple[str, float, float],
    schedule: tuple[str, int, int, int, float],
    ema: float,
    precision: torch.dtype,
    device: torch.device,
) -> Training:
    """All that changes while a network is fitted, at its beginning.

    Args:
        learner: what learns.
        optimizer: its name, learning rate and weight decay.
        schedule: its name; steps of the whole training, of the warm-up and between falls; what a fall multiplies by.
        ema: the share of the average of the weights that stays at each step; 0 for no average.
        precision: of a step's multiplications; float16 needs its loss scaled.
        device: where the steps run.
    """
    rule = make_optimizer(optimizer[0], learner.model, *optimizer[1:], learner.rate_scale, learner.head)
    return Training(
        learner.model,
        rule,
        make_schedule(schedule[0], rule, *schedule[1:]),
        Average(learner.model, ema) if ema else None,
        torch.amp.GradScaler(device.type, enabled=precision == torch.float16),
    )
