"""Optimizers and learning-rate schedules by name."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

MOMENTUM = 0.9

# Muon steps in units of a layer's own size; Adam has this fraction of its rate (measured on CIFAR-10,
# docs/decisions/2026-11-23-training.md).
ADAM_RATE_FRACTION = 0.2


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
        rate = learning_rate * scale * (ADAM_RATE_FRACTION if name == "muon" and not orthogonal else 1.0)
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


# Coefficients of a quintic Newton-Schulz iteration, chosen for its slope at zero (Keller Jordan 2024, "Muon: An optimizer for
# hidden layers in neural networks"): singular values end between 0.7 and 1.2, which is near enough to 1.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, for the weights of two and more dimensions; Adam for all others.

    Keller Jordan 2024; the weight decay is decoupled, as Liu et al. 2025 have it ("Muon is Scalable for LLM Training", arXiv
    2502.16982). torch's own Muon takes matrices alone, no convolutions, and leaves the others to a second optimizer.

    Args:
        groups: parameter groups; `orthogonal` says which rule a group follows. A convolution [out, in, h, w] counts as the
            matrix [out, in * h * w].
        lr: of the orthogonal groups; the others bring their own.
        momentum: of the orthogonal groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "orthogonal": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                if group["orthogonal"]:
                    self._orthogonal_step(parameter, parameter.grad, group)
                else:
                    self._adam_step(parameter, parameter.grad, group)

    def _orthogonal_step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        direction = torch.lerp(gradient, momentum, group["momentum"]).flatten(1)
        # So that a step moves what the layer gives by as much, whatever its shape.
        scale = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        parameter.add_(orthogonalise(direction).view_as(parameter), alpha=-group["lr"] * scale)

    def _adam_step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Kingma and Ba 2015, with their constants."""
        state = self.state[parameter]
        if not state:
            state |= {
                "step": torch.zeros(()),
                "mean": torch.zeros_like(parameter),
                "square": torch.zeros_like(parameter),
            }
        state["step"] += 1
        mean = state["mean"].lerp_(gradient, 0.1)
        square = state["square"].mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        step = state["step"].item()
        deviation = (square / (1 - 0.999**step)).sqrt_().add_(1e-8)
        parameter.addcdiv_(mean, deviation, value=-group["lr"] / (1 - 0.9**step))


def orthogonalise(matrix: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, nearly: singular values between 0.7 and 1.2, same singular vectors.

    Args:
        matrix: float32 [R, C].

    Returns:
        float32 [R, C]. Multiplied in bfloat16, which is exact enough for a direction.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    first, second, third = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = first * x + (second * gram + third * gram @ gram) @ x
    found: Tensor = x.T if tall else x
    return found.float()


def make_schedule(
    name: str, optimizer: torch.optim.Optimizer, steps: int, warmup: int, fall_every: int, fall_to: float
) -> LRScheduler:
    """The learning rate of each step, as a fraction of the optimizer's own.

    Args:
        name: `constant`; `cosine`, half a wave down to nothing (Loshchilov and Hutter 2017, "SGDR", without restarts); `step`;
            `triangle`, straight up from a fifth of the rate in the first fifth and straight down to nothing in the rest
            (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"); or `one-cycle` (Smith and Topin 2018,
            "Super-Convergence"): a cosine up in the first quarter, a cosine down to nothing in the rest. torch's own
            OneCycleLR divides by zero for trainings of four steps, and moves the momentum of optimizers that have one.
        steps: of the whole training.
        warmup: steps in which the rate climbs in a straight line, before the schedule begins; for one-cycle and triangle
            the length of their climb, where it is not 0.
        fall_every, fall_to: `step` multiplies the rate by `fall_to` after each so many steps.
    """

    def fraction(step: int) -> float:
        position = step + 0.5
        if name == "one-cycle":
            climb = warmup or 0.25 * steps
            if position < climb:
                return 0.04 + 0.96 * _cosine(position / climb)
            return _cosine((steps - position) / (steps - climb)) if climb < steps else 1.0
        if name == "triangle":
            climb = warmup or 0.2 * steps
            if position < climb:
                return 0.2 + 0.8 * position / climb
            return max(0.0, steps - position) / max(1, steps - climb)
        if position < warmup:
            return position / warmup
        if name == "cosine":
            return _cosine((steps - position) / max(1, steps - warmup))
        if name == "step":
            return fall_to ** ((step - warmup) // fall_every)
        return 1.0

    return LambdaLR(optimizer, fraction)


def _cosine(position: float) -> float:
    """Half a cosine wave from 0 at 0 to 1 at 1; beyond either end constant."""
    return 0.5 - 0.5 * math.cos(math.pi * min(max(position, 0.0), 1.0))
