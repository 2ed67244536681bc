"""Learning-rate schedules by name."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def make_schedule(
    name: str, optimizer: torch.optim.Optimizer, steps: int, warmup: int, fall_every: int, fall_to: float
) -> LRScheduler:
    """The learning rate of each step, as a share of the optimizer's own.

    Args:
        name: `constant`; `cosine`, half a wave down to nothing (Loshchilov and Hutter 2017, "SGDR", without restarts); `step`;
            or `one-cycle` (Smith and Topin 2018, "Super-Convergence"): a cosine up in the first quarter, a cosine down to
            nothing in the rest. torch's own OneCycleLR divides by zero for trainings of four steps, and moves the
            momentum of optimizers that have one.
        steps: of the whole training.
        warmup: steps in which the rate climbs in a straight line, before the schedule begins; for one-cycle the length of
            its climb, where it is not 0.
        fall_every, fall_to: `step` multiplies the rate by `fall_to` after each so many steps.
    """

    def share(step: int) -> float:
        position = step + 0.5
        if name == "one-cycle":
            climb = warmup or 0.25 * steps
            if position < climb:
                return 0.04 + 0.96 * _cosine(position / climb)
            return _cosine((steps - position) / (steps - climb)) if climb < steps else 1.0
        if position < warmup:
            return position / warmup
        if name == "cosine":
            return _cosine((steps - position) / max(1, steps - warmup))
        if name == "step":
            return fall_to ** ((step - warmup) // fall_every)
        return 1.0

    return LambdaLR(optimizer, share)


def _cosine(share: float) -> float:
    """Half a cosine wave from 0 at 0 to 1 at 1; past either end it stays there."""
    return 0.5 - 0.5 * math.cos(math.pi * min(max(share, 0.0), 1.0))
