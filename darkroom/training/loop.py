"""The training loop."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of
from darkroom.training.batches import TrainingBatches
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.losses import ImageLoss, batch_loss
from darkroom.training.state import Progress, Training

VALIDATION_BATCH = 512
SECONDS_BETWEEN_CHECKPOINTS = 30


@dataclass(frozen=True)
class Plan:
    """What a training does at most, and how.

    Attributes:
        epochs: at most.
        patience: epochs without a lower validation loss before the training stops.
        loss: of each image.
        precision: of a step's multiplications; weights and losses are float32.
        clip: the longest gradient, as its norm; 0: any.
        seed: of dropout.
        learning: called before each epoch; sets which parameters learn, and puts the model into training mode.
    """

    epochs: int
    patience: int
    loss: ImageLoss
    precision: torch.dtype
    clip: float
    seed: int
    learning: Callable[[int], None]


def fit(
    training: Training,
    batches: TrainingBatches,
    validation: tuple[Tensor, Tensor],
    plan: Plan,
    processes: Processes,
    keep: Callable[[], None],
    after_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Train until `plan.epochs` are done or the patience runs out, and put the best epoch's weights back.

    Args:
        training: fresh, or restored from a checkpoint: it goes on where that was.
        batches: the training images.
        validation: what the model takes, [N, …], and labels int64 [N].
        plan: see there.
        processes: this process among those that train together.
        keep: called when `training` is complete for a checkpoint: after each epoch, and within long ones.
        after_epoch: called with each finished epoch; what it raises ends the training.

    Raises:
        DarkroomError: when the loss, or a weight at the end, is no longer a number.
    """
    if processes.first:
        print("epoch  train loss  accuracy  validation loss  accuracy   rate     seconds", flush=True)
    done = len(training.history) * len(batches) + training.progress.step
    hidden = None if processes.first else True  # None: shown on a terminal
    with tqdm(total=plan.epochs * len(batches), initial=done, desc="train", unit="step", disable=hidden) as bar:
        for number in range(len(training.history) + 1, plan.epochs + 1):
            if number - 1 - (training.best().number if training.history else 0) >= plan.patience:
                if processes.first:
                    tqdm.write(f"stopped: no lower validation loss for {plan.patience} epochs (train.patience)")
                break
            started = time.perf_counter()
            train_loss, train_accuracy = _train_epoch(training, batches, number, plan, processes, keep, bar)
            with training.shown_weights():
                validation_loss, validation_accuracy = score(training.model, *validation, plan.precision, processes)
                if not math.isfinite(validation_loss):
                    raise DarkroomError(
                        f"the validation loss is {validation_loss} after epoch {number}: set a lower train.learning_rate"
                    )
                rate = training.optimizer.param_groups[0]["lr"]
                epoch = Epoch(number, train_loss, train_accuracy, validation_loss, validation_accuracy, rate)
                training.history.append(epoch)
                if training.best() is epoch:
                    training.best_weights = copy.deepcopy(training.model.state_dict())
            training.progress = Progress()
            keep()
            if processes.first:
                tqdm.write(
                    f"{number:5}  {train_loss:10.4f}  {train_accuracy:8.2%}  {validation_loss:15.4f}  "
                    f"{validation_accuracy:8.2%}  {rate:8.2g}  {time.perf_counter() - started:7.1f}"
                )
            if after_epoch is not None:
                after_epoch(epoch)
    _require_finite(training.best_weights)
    training.model.load_state_dict(training.best_weights)


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
    plan: Plan,
    processes: Processes,
    keep: Callable[[], None],
    bar: "tqdm[None]",
) -> tuple[float, float]:
    """One pass over the training images; the mean loss and the accuracy of the batches as they were met, over all processes."""
    model, optimizer, scaler, device = training.model, training.optimizer, training.scaler, processes.device
    progress = training.progress
    plan.learning(number)
    shared = processes.share(model)
    if progress.step:
        torch.set_rng_state(progress.chance)
    else:
        # From the epoch's number alone, so that a resumed training drops the same features as an uninterrupted one.
        torch.manual_seed(seed_of("dropout", plan.seed, number) + processes.rank)
    kept = time.monotonic()
    for batch in batches.epoch(number, progress.step):
        batch = batch.on(device)
        with torch.autocast(device.type, dtype=plan.precision, enabled=plan.precision != torch.float32):
            logits = shared(batch.images)
        loss = batch_loss(plan.loss, logits.float(), batch)
        progress.step += 1
        if not torch.isfinite(loss):
            raise DarkroomError(
                f"the training loss is {loss.item()} at step {progress.step} of epoch {number}, with a learning rate of "
                f"{optimizer.param_groups[0]['lr']:.3g}: set a lower train.learning_rate, "
                "or train.precision=float32 if that does not help"
            )
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if plan.clip:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
        scaler.step(optimizer)
        scaler.update()
        training.schedule.step()
        if training.average is not None:
            training.average.update(model)
        progress.loss += loss.item() * len(batch.labels)
        progress.correct += int((logits.argmax(1) == batch.labels).sum())
        progress.seen += len(batch.labels)
        bar.update()
        # Not where several train: each would write at another step. Their epochs are shorter, too.
        if (
            processes.world == 1
            and time.monotonic() - kept > SECONDS_BETWEEN_CHECKPOINTS
            and progress.step < len(batches)
        ):
            progress.chance = torch.get_rng_state()
            keep()
            kept = time.monotonic()
    loss_sum, correct, seen = processes.total(
        torch.tensor([progress.loss, progress.correct, progress.seen], dtype=torch.float64, device=device)
    ).tolist()
    return loss_sum / seen, correct / seen


@torch.no_grad()
def score(
    model: nn.Module, images: Tensor, labels: Tensor, precision: torch.dtype, processes: Processes
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, summed over all processes and then divided once.

    Args:
        model: from what `images` holds to logits [N, K].
        images: [N, …].
        labels: int64 [N].
        precision: of the multiplications: that of training, since float32 would take as long as a third of the epoch. The
            sums are float32, and the weights that are kept are scored in float32 by `evaluate`.
        processes: each takes its part of the images.
    """
    model.eval()
    device = processes.device
    loss, correct = 0.0, 0
    mine = slice(processes.rank, None, processes.world)
    for part, wanted in zip(
        torch.split(images[mine], VALIDATION_BATCH), torch.split(labels[mine], VALIDATION_BATCH), strict=True
    ):
        wanted = wanted.to(device)
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            logits = model(part.to(device))
        loss += cross_entropy(logits.float(), wanted, reduction="sum").item()
        correct += int((logits.argmax(1) == wanted).sum())
    total_loss, total_correct = processes.total(
        torch.tensor([loss, correct], dtype=torch.float64, device=device)
    ).tolist()
    return total_loss / len(labels), total_correct / len(labels)
