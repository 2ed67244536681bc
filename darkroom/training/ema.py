"""A moving average of the weights."""

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of a network's weights and running statistics (Polyak and Juditsky 1992).

    Args:
        network: whose state is averaged; the average begins as a copy of it.
        decay: the share of the average that stays at each step. In the first steps less stays, (1 + step) / (10 + step),
            so that the first weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self.weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average toward the network as it is now."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)

    def state(self) -> dict[str, int | dict[str, Tensor]]:
        return {"steps": self._steps, "weights": self.weights}

    def restore(self, state: dict[str, int | dict[str, Tensor]]) -> None:
        steps, weights = state["steps"], state["weights"]
        assert isinstance(steps, int) and isinstance(weights, dict)
        self._steps, self.weights = steps, weights
