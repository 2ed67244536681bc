"""What a trial came to."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from darkroom.tuning.space import Value


@dataclass(frozen=True)
class Outcome:
    """One trial, or the training with the settings as they are.

    Attributes:
        number: of the trial, from 0; None: the settings as they are.
        state: `finished`; `pruned`, ended early since it was behind; `failed`, ended by what `reason` says; `unfinished`, cut
            off, and taken up again by the next run.
        settings: by name, what it was trained with, of the space alone.
        epochs: (epoch, validation loss, validation accuracy) of each epoch that ended, in order.
        reason: why it failed; else empty.
    """

    number: int | None
    state: Literal["finished", "pruned", "failed", "unfinished"]
    settings: dict[str, Value]
    epochs: list[tuple[int, float, float]]
    reason: str = ""

    @property
    def best_epoch(self) -> tuple[int, float, float] | None:
        """The epoch that training keeps: the one with the lowest validation loss, the first of equals."""
        return min(self.epochs, key=lambda epoch: epoch[1], default=None)

    @property
    def loss(self) -> float:
        """Validation loss of the best epoch, in nats; infinite where no epoch ended."""
        return self.best_epoch[1] if self.best_epoch else float("inf")

    @property
    def name(self) -> str:
        return "the settings as they are" if self.number is None else f"trial {self.number}"

    def metrics(self) -> dict[str, Any]:
        """In the form of `reports/train/metrics.json`, as far as it is known."""
        if self.best_epoch is None:
            return {}
        step, loss, accuracy = self.best_epoch
        return {"validation": {"loss": loss, "accuracy": accuracy}, "step": step}


def best_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The finished one with the lowest validation loss, the first of equals; None where none finished.

    Every trial is compared after all its epochs: a pruned one is not chosen, however low it was.
    """
    finished = [outcome for outcome in outcomes if outcome.state == "finished"]
    return min(finished, key=lambda outcome: outcome.loss, default=None)


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Write beside and rename: a kill in the middle leaves what was there."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    partial.replace(path)


def read_outcome(path: Path) -> Outcome | None:
    """What `write_outcome` wrote, or None where there is nothing."""
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(**content | {"epochs": [tuple(epoch) for epoch in content["epochs"]]})
