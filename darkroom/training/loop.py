"""The training loop."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import Batch, Rows, TrainingBatches, take
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.losses import ImageLoss, batch_loss
from darkroom.training.state import EpochProgress, TrainState
from darkroom.training.trainable import TrainableModel

VALIDATION_BATCH = 512
SECONDS_BETWEEN_CHECKPOINTS = 30


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted: the settings of `darkroom.settings.train.Train` under their names, with `auto` resolved.

    Attributes:
        classes: how many there are, from the class list.
    """

    epochs: int
    patience: int
    batch_size: int
    classes: int
    augmentation: Augmentation
    freeze: str | int
    unfreeze: Sequence[int]
    layer_decay: float
    balance: str
    workers: int
    loss: str
    label_smoothing: float
    focal_gamma: float
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    warmup: float
    step_epochs: int
    step_factor: float
    ema: float
    clip_gradient: float
    sync_batchnorm: bool
    seed: int


def run_epochs(
    state: TrainState,
    trainable: TrainableModel,
    batches: TrainingBatches,
    validation_labels: Tensor,
    *,
    loss: ImageLoss,
    config: FitConfig,
    processes: Processes,
    save: Callable[[], None],
    after_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Train until `config.epochs` are done or the patience runs out, and put the best epoch's weights back.

    Args:
        state: fresh, or loaded from a checkpoint: the training goes on from there.
        trainable: the model and its data.
        batches: the training images.
        validation_labels: int64 [N], of `trainable.validation`.
        loss: of each image.
        config: its epochs, patience, clip_gradient and seed are read.
        processes: this process among those that train together.
        save: called when `state` is complete for a checkpoint: after each epoch, and within long ones; in all processes.
        after_epoch: called with each finished epoch; what it raises ends the training.

    Raises:
        DarkroomError: when the loss, or a weight at the end, is no longer a number.
    """
    if processes.first:
        print("epoch  train loss  accuracy  validation loss  accuracy   rate     seconds", flush=True)
    done = len(state.history) * len(batches) + state.progress.step
    hidden = None if processes.first else True  # None: shown on a terminal
    with tqdm(total=config.epochs * len(batches), initial=done, desc="train", unit="step", disable=hidden) as bar:
        for number in range(len(state.history) + 1, config.epochs + 1):
            if number - 1 - (state.best().number if state.history else 0) >= config.patience:
                if processes.first:
                    tqdm.write(f"stopped: no lower validation loss for {config.patience} epochs (train.patience)")
                break
            started = time.perf_counter()
            trainable.start_epoch(number)
            train_loss, train_accuracy = _train_epoch(
                state, trainable, batches, number, loss, config, processes, save, bar
            )
            epoch = _validate(state, trainable, validation_labels, number, (train_loss, train_accuracy), processes)
            state.progress = EpochProgress()
            save()
            if processes.first:
                tqdm.write(
                    f"{number:5}  {train_loss:10.4f}  {train_accuracy:8.2%}  {epoch.validation_loss:15.4f}  "
                    f"{epoch.validation_accuracy:8.2%}  {epoch.learning_rate:8.2g}  {time.perf_counter() - started:7.1f}"
                )
            if after_epoch is not None:
                after_epoch(epoch)
    _require_finite(state.best_weights)
    state.model.load_state_dict(state.best_weights)


def _validate(
    state: TrainState,
    trainable: TrainableModel,
    labels: Tensor,
    number: int,
    train: tuple[float, float],
    processes: Processes,
) -> Epoch:
    """Score the averaged weights, and add the epoch to the history; the weights of the best one are copied."""
    with state.averaged_weights():
        processes.align_buffers(state.model)
        loss, accuracy = score(state.model, trainable.validation, labels, trainable.precision, processes)
        if not math.isfinite(loss):
            raise DarkroomError(f"the validation loss is {loss} after epoch {number}: set a lower train.learning_rate")
        epoch = Epoch(number, *train, loss, accuracy, state.optimizer.param_groups[0]["lr"])
        state.history.append(epoch)
        if state.best() is epoch:
            state.best_weights = copy.deepcopy(state.model.state_dict())
    return epoch


def _require_finite(weights: dict[str, Tensor]) -> None:
    """A weight that only ever meets zeros can be NaN without showing in any loss; it would break whoever reads it later."""
    broken = [name for name, tensor in weights.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise DarkroomError(
            f"after training, {len(broken)} weights hold values that are no numbers, the first of them {broken[0]}: "
            "set a lower train.learning_rate or train.precision=float32"
        )


def _train_epoch(
    state: TrainState,
    trainable: TrainableModel,
    batches: TrainingBatches,
    number: int,
    loss: ImageLoss,
    config: FitConfig,
    processes: Processes,
    save: Callable[[], None],
    bar: "tqdm[None]",
) -> tuple[float, float]:
    """One pass over the training images; the mean loss and the accuracy over the batches as they came, in all processes."""
    progress, device = state.progress, processes.device
    model = processes.data_parallel(state.model, config.sync_batchnorm)
    saved = time.monotonic()
    for batch in batches.epoch(number, progress.step):
        # From the step's number alone, so that a resumed training drops the same features as an uninterrupted one.
        torch.manual_seed(seed_of("dropout", config.seed, number, progress.step) + processes.rank)
        _step(state, model, batch.on(device), number, trainable.precision, loss, config.clip_gradient, batches.share)
        bar.update()
        due = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS
        # All processes save after the same step: the first one's clock decides.
        if progress.step < len(batches) and processes.decided(due):
            save()
            saved = time.monotonic()
    loss_sum, correct, images = processes.total(
        torch.tensor([progress.loss, progress.correct, progress.images], dtype=torch.float64, device=device)
    ).tolist()
    return loss_sum / images, correct / images


def _step(
    state: TrainState,
    model: nn.Module,
    batch: Batch,
    epoch: int,
    precision: torch.dtype,
    image_loss: ImageLoss,
    clip_gradient: float,
    share: float,
) -> None:
    """One step of the optimizer, of its schedule and of the EMA; `model` is the state's own, or its data-parallel form."""
    optimizer, scaler, progress = state.optimizer, state.scaler, state.progress
    with torch.autocast(batch.images.device.type, dtype=precision, enabled=precision != torch.float32):
        logits = model(batch.images)
    loss = batch_loss(image_loss, logits.float(), batch)
    progress.step += 1
    if not torch.isfinite(loss):
        raise DarkroomError(
            f"the training loss is {loss.item()} at step {progress.step} of epoch {epoch}, with a learning rate of "
            f"{optimizer.param_groups[0]['lr']:.3g}: set a lower train.learning_rate, "
            "or train.precision=float32 if that does not help"
        )
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss if share == 1 else loss * share).backward()  # type: ignore[no-untyped-call]
    if clip_gradient:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(state.model.parameters(), clip_gradient)
    scaler.step(optimizer)
    scaler.update()
    state.schedule.step()
    if state.ema is not None:
        state.ema.update(state.model)
    progress.loss += loss.item() * len(batch.labels)
    progress.correct += int((logits.argmax(1) == batch.labels).sum())
    progress.images += len(batch.labels)


@torch.no_grad()
def score(
    model: nn.Module, images: Rows, labels: Tensor, precision: torch.dtype, processes: Processes
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, summed over all processes and then divided once.

    Args:
        model: from what `images` holds to logits [N, K].
        images: [N, …]; of memory maps a batch at a time is read.
        labels: int64 [N].
        precision: of the multiplications: that of training, since float32 would take as long as a third of the epoch. The
            sums are float32, and the weights that are saved are scored in float32 by `evaluate`.
        processes: each takes every `world`-th of the images.
    """
    model.eval()
    device = processes.device
    loss, correct = 0.0, 0
    for rows in torch.split(torch.arange(processes.rank, len(labels), processes.world), VALIDATION_BATCH):
        targets = labels[rows.to(labels.device)].to(device)
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            logits = model(take(images, rows.numpy()).to(device))
        loss += cross_entropy(logits.float(), targets, reduction="sum").item()
        correct += int((logits.argmax(1) == targets).sum())
    total_loss, total_correct = processes.total(
        torch.tensor([loss, correct], dtype=torch.float64, device=device)
    ).tolist()
    return total_loss / len(labels), total_correct / len(labels)
