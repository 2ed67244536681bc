"""All that changes while a network is fitted, and its checkpoints."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.runtime.files import whole_file
from darkroom.training.curves import Epoch


class EMA:
    """The exponential moving average of a network's weights and running statistics (Polyak and Juditsky 1992).

    Args:
        network: whose state is averaged; the average begins as a copy of it.
        decay: the fraction of the average that stays at each step. In the first steps less stays, (1 + step) / (10 + step),
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

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._steps, self.weights = state["steps"], state["weights"]


@dataclass
class EpochProgress:
    """How far the current epoch is in this process: its steps, and the sums over the batches so far."""

    step: int = 0
    loss: float = 0.0
    correct: int = 0
    images: int = 0


@dataclass
class TrainState:
    """A training between two steps.

    Attributes:
        model: the modules that are trained.
        ema: of its weights, where one is wanted; then it is what is validated and saved.
        scaler: of the loss, for float16; does nothing for other types.
        history: the finished epochs.
        best_weights: the state of `model` after the best of them.
        progress: of the current epoch.
        tuned: None, since no fine-tuning was held against a fitted head.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    ema: EMA | None
    scaler: torch.amp.GradScaler
    history: list[Epoch] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    progress: EpochProgress = field(default_factory=EpochProgress)
    tuned: None = None

    def best(self) -> Epoch:
        """The epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda epoch: epoch.validation_loss)

    def text(self) -> str:
        """The best epoch and its accuracy."""
        best = self.best()
        return f"best epoch {best.number}, validation accuracy {best.validation_accuracy:.2%}"

    def strengths(self) -> list[dict[str, float]]:
        """None: no strength of a regression was tried."""
        return []

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The EMA in the model's place, where there is one, until the end of the block."""
        if self.ema is None:
            yield
            return
        own = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(self.ema.weights)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def state_dict(self, progress: Sequence[EpochProgress]) -> dict[str, Any]:
        """The content of a checkpoint, tensors and plain values.

        Args:
            progress: of every process, in the order of their ranks; all else is the same in all of them.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "best_weights": self.best_weights,
            "progress": [vars(each) for each in progress],
        }

    def load_state_dict(self, state: dict[str, Any], rank: int, world: int) -> None:
        """Go back to a checkpoint, in the process of this rank; it may be of another number of processes."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.scaler.load_state_dict(state["scaler"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_weights = state["best_weights"]
        each = [EpochProgress(**values) for values in state["progress"]]
        if len(each) != world:
            # The sums of all are process 0's.
            sums = [sum(getattr(part, name) for part in each) for name in ("loss", "correct", "images")]
            each = [EpochProgress(each[0].step, *sums)] + [EpochProgress(each[0].step)] * (world - 1)
        self.progress = each[rank]


def checkpoint_path(folder: Path, *identity: str) -> Path:
    """The path of a training's checkpoint, with everything in its name that decides the result.

    Args:
        folder: that holds checkpoints.
        identity: settings, code version, data and hardware, as text.

    Returns:
        A path that no training with other settings, code or data has, so that none is ever resumed by mistake.
    """
    digest = hashlib.sha256("\0".join(identity).encode())
    return folder / f"train-{digest.hexdigest()[:16]}.pt"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write beside and rename: a kill in the middle leaves the checkpoint before. Those of other trainings go."""
    with whole_file(path) as partial:
        torch.save(content, partial)
    for other in path.parent.glob("train-*.pt"):
        if other != path:
            other.unlink()


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The content that `save_checkpoint` wrote, or None where there is none. Tensors and plain values alone: no code runs."""
    if not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return content
