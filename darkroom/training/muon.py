"""Muon: steps whose matrices are orthogonal."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

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
