"""All that changes while a network is fitted, and its checkpoints."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.training.curves import Epoch
from darkroom.training.optimizers import make_optimizer, make_schedule
from darkroom.training.trainable import Learner


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


# Outside every output: DVC deletes outputs before it starts a stage.
FOLDER = Path(".darkroom/checkpoints")


def checkpoint_path(folder: Path, *parts: str, files: list[Path]) -> Path:
    """Where a training keeps its checkpoint: named by everything that decides its result.

    Args:
        folder: that holds checkpoints.
        parts: settings and code version, as text.
        files: data that is trained on; their contents count.

    Returns:
        A path that no training with other settings, code or data has, so that none is ever resumed by mistake.
    """
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return folder / f"train-{digest.hexdigest()[:16]}.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside and rename: a kill in the middle leaves the checkpoint before. Those of other trainings go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
    for other in path.parent.glob("train-*.pt"):
        if other != path:
            other.unlink()


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is none. Tensors and plain values alone: no code is run."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state
