"""All that changes while a network is fitted, and so all that a checkpoint holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.training.ema import Average


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; losses in nats, accuracies shares, the rate that of the last step.

    The training loss is the one that was minimised; the validation loss is cross-entropy, whatever was minimised.
    """

    number: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float


@dataclass
class Progress:
    """How far the epoch in hand is: its steps, and the sums over the batches that were met.

    Attributes:
        chance: the state of torch's generator, which dropout draws from; of no meaning before the first step.
    """

    step: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    chance: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))


@dataclass
class Training:
    """A training between two steps.

    Attributes:
        model: what learns.
        average: of its weights, where one is kept; then it is what is validated and kept.
        scaler: of the loss, for float16; does nothing for other types.
        history: the finished epochs.
        best_weights: the state of `model` after the best of them.
        progress: of the epoch in hand.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    average: Average | None
    scaler: torch.amp.GradScaler
    history: list[Epoch] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    def best(self) -> Epoch:
        """The epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda epoch: epoch.validation_loss)

    @contextmanager
    def shown_weights(self) -> Iterator[None]:
        """The average in the model's place, where there is one, until the end of the block."""
        if self.average is None:
            yield
            return
        own = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "scaler": self.scaler.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "best_weights": self.best_weights,
            "progress": {name: getattr(self.progress, name) for name in self.progress.__dataclass_fields__},
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.restore(state["average"])
        self.scaler.load_state_dict(state["scaler"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_weights = state["best_weights"]
        self.progress = Progress(**state["progress"])
