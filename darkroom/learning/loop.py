"""The training loop."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from darkroom.errors import DarkroomError
from darkroom.learning.batches import TrainingBatches
from darkroom.network.normalized import Normalized
from darkroom.seeding import seed_of

VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to; losses are cross-entropy in nats, accuracies shares, the rate that of the last step."""

    number: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float


@dataclass
class Training:
    """All that changes while a network is fitted, and so all that a checkpoint holds."""

    model: Normalized
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    history: list[Epoch]
    best_weights: dict[str, Tensor]

    def best(self) -> Epoch:
        """The epoch with the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda epoch: epoch.validation_loss)

    def state(self) -> dict[str, Any]:
        return {
            "network": self.model.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "best_weights": self.best_weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_weights = state["best_weights"]


def fit(
    training: Training,
    batches: TrainingBatches,
    validation: tuple[Tensor, Tensor],
    epochs: int,
    patience: int,
    precision: torch.dtype,
    seed: int,
    after_epoch: Callable[[Epoch], None],
    weights: Tensor | None = None,
) -> None:
    """Train until `epochs` are done or `patience` runs out, and put the best epoch's weights back.

    Args:
        training: fresh, or restored from a checkpoint: it goes on after the last epoch in its history.
        batches: the training images.
        validation: images uint8 [N, S, S, C] and labels int64 [N].
        epochs: at most.
        patience: epochs without a lower validation loss before the training stops.
        precision: of a step's multiplications; weights, losses and validation are float32.
        seed: of dropout.
        after_epoch: called with each finished epoch, once `training` is complete for a checkpoint.
        weights: what an image of each class counts in the training loss, float32 [K]; None: each the same. Validation, and
            with it the choice of the epoch, counts every image once.

    Raises:
        DarkroomError: when the loss, or a weight at the end, is no longer a number.
    """
    first = len(training.history) + 1
    print("epoch  train loss  accuracy  validation loss  accuracy   rate     seconds", flush=True)
    with tqdm(
        total=epochs * len(batches), initial=(first - 1) * len(batches), desc="train", unit="step", disable=None
    ) as bar:
        for number in range(first, epochs + 1):
            if number - 1 - (training.best().number if training.history else 0) >= patience:
                tqdm.write(f"stopped: no lower validation loss for {patience} epochs (train.patience)")
                break
            started = time.perf_counter()
            # From the epoch's number alone, so that a resumed training drops the same features as an uninterrupted one.
            torch.manual_seed(seed_of("dropout", seed, number))
            train_loss, train_accuracy = _train_epoch(training, batches, number, precision, weights, bar)
            validation_loss, validation_accuracy = score(training.model, *validation)
            if not math.isfinite(validation_loss):
                raise DarkroomError(
                    f"the validation loss is {validation_loss} after epoch {number}: set a lower train.learning_rate"
                )
            rate = training.optimizer.param_groups[0]["lr"]
            epoch = Epoch(number, train_loss, train_accuracy, validation_loss, validation_accuracy, rate)
            training.history.append(epoch)
            if training.best() is epoch:
                training.best_weights = copy.deepcopy(training.model.network.state_dict())
            after_epoch(epoch)
            tqdm.write(
                f"{number:5}  {train_loss:10.4f}  {train_accuracy:8.2%}  {validation_loss:15.4f}  {validation_accuracy:8.2%}"
                f"  {rate:8.2g}  {time.perf_counter() - started:7.1f}"
            )
    _require_finite(training.best_weights)
    training.model.network.load_state_dict(training.best_weights)


def _require_finite(weights: dict[str, Tensor]) -> None:
    """A weight that only ever meets zeros can be NaN without showing in any loss; it would break whoever reads it later."""
    broken = [name for name, tensor in weights.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise DarkroomError(
            f"after training, {len(broken)} weights hold values that are no numbers, the first of them {broken[0]}: "
            "set a lower train.learning_rate or train.precision=float32"
        )


def _train_epoch(
    training: Training,
    batches: TrainingBatches,
    number: int,
    precision: torch.dtype,
    weights: Tensor | None,
    bar: "tqdm[Any]",
) -> tuple[float, float]:
    """One pass over the training images; the mean (weighted) loss and the accuracy of the batches as they were met."""
    model, optimizer = training.model.train(), training.optimizer
    device = model.mean.device
    weights = None if weights is None else weights.to(device)
    total_loss, correct, seen = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64), 0
    for step, (images, labels) in enumerate(batches.epoch(number), start=1):
        images, labels = images.to(device), labels.to(device)
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            logits = model(images)
        # Divided by the images, not by the sum of the batch's weights, which would undo them in a batch of one class.
        loss = cross_entropy(logits.float(), labels, weights, reduction="sum") / len(labels)
        if not torch.isfinite(loss):
            raise DarkroomError(
                f"the training loss is {loss.item()} at step {step} of epoch {number}, with a learning rate of "
                f"{optimizer.param_groups[0]['lr']:.3g}: set a lower train.learning_rate, "
                "or train.precision=float32 if that does not help"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        training.schedule.step()
        total_loss += loss.detach().cpu() * len(labels)
        correct += (logits.argmax(1) == labels).sum().cpu()
        seen += len(labels)
        bar.update()
    return total_loss.item() / seen, correct.item() / seen


@torch.no_grad()
def score(model: Normalized, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in float32, as the weights will be evaluated; summed, then divided once."""
    model.eval()
    device = model.mean.device
    loss, correct = 0.0, 0
    for start in range(0, len(images), VALIDATION_BATCH):
        part = slice(start, start + VALIDATION_BATCH)
        logits, wanted = model(images[part].to(device)), labels[part].to(device)
        loss += cross_entropy(logits, wanted, reduction="sum").item()
        correct += int((logits.argmax(1) == wanted).sum())
    return loss / len(images), correct / len(images)
