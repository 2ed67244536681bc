"""Fit a model: its batches, optimizer and loss, from a checkpoint on where there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from darkroom.images.pack import Packed
from darkroom.network.load import Normalized
from darkroom.runtime.errors import DarkroomError
from darkroom.training.batches import TrainingBatches
from darkroom.training.curves import Epoch
from darkroom.training.distributed import Processes
from darkroom.training.loop import FitConfig, run_epochs
from darkroom.training.losses import ImageLoss, class_weights, make_loss
from darkroom.training.optimizers import make_optimizer, make_schedule
from darkroom.training.state import EMA, TrainState, load_checkpoint, save_checkpoint
from darkroom.training.trainable import TrainableModel, make_trainable

# With fewer steps an epoch, twelve epochs are too few for the running statistics of batch normalisation to settle.
NOTABLY_FEW_STEPS = 10


def fit(
    model: Normalized,
    train: Packed,
    validation: Packed,
    config: FitConfig,
    *,
    precision: torch.dtype,
    processes: Processes,
    checkpoint: Path,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> TrainState:
    """Train a model to its best epoch on validation.

    Args:
        model: freshly made or loaded; has the weights of the best epoch at the end.
        train, validation: images and labels.
        config: the settings of the training.
        precision: of the multiplications of a step.
        processes: this process among those that train together.
        checkpoint: file to resume from and to write to.
        after_epoch: called with each finished epoch; what it raises ends the training.

    Raises:
        DarkroomError: when a setting does not fit the network or the data, when the memory is not enough, or when the loss or
            a weight is no longer a number.
    """
    with enough_memory(config.batch_size, train.images.shape[1]):
        trainable = make_trainable(
            model,
            train.images,
            validation.images,
            device=processes.device,
            precision=precision,
            augmented=not config.augmentation.nothing,
            freeze=config.freeze,
            unfreeze=config.unfreeze,
            layer_decay=config.layer_decay,
        )
        batches = make_batches(trainable, train, config, processes)
        state = new_train_state(trainable, len(batches), config, processes.device)
        if processes.first:
            _print_notes(trainable, len(batches), len(train.labels), config.batch_size)
        _resume(state, checkpoint, processes)

        def save() -> None:
            progress = processes.gathered(state.progress)
            if processes.first:
                save_checkpoint(checkpoint, state.state_dict(progress))

        labels = torch.from_numpy(validation.labels).to(processes.device)
        loss = image_loss(train, config, processes.device)
        run_epochs(
            state,
            trainable,
            batches,
            labels,
            loss=loss,
            config=config,
            processes=processes,
            save=save,
            after_epoch=after_epoch,
        )
    return state


def _print_notes(trainable: TrainableModel, steps: int, images: int, batch_size: int) -> None:
    if trainable.note:
        print(f"train: {trainable.note}")
    if steps < NOTABLY_FEW_STEPS:
        print(
            f"train: only {steps} steps an epoch, since {images:,} images make few batches of {batch_size}; a smaller "
            "train.batch_size or more train.epochs learns more"
        )


def _resume(state: TrainState, checkpoint: Path, processes: Processes) -> None:
    """Go back to the checkpoint, where there is one."""
    content = processes.shared(lambda: load_checkpoint(checkpoint))
    if content is None:
        return
    state.load_state_dict(content, processes.rank, processes.world)
    if processes.first:
        steps = f" and {state.progress.step} steps" if state.progress.step else ""
        print(f"train: resumed after epoch {len(state.history)}{steps}, from {checkpoint}")


@contextmanager
def enough_memory(batch_size: int, side: int) -> Iterator[None]:
    """Turn a lack of memory in a training step into a message with the settings that need less.

    Args:
        batch_size: images a step.
        side: of an image, in pixels.

    Raises:
        DarkroomError: in place of torch's error, on the processor (which Linux may kill instead) and on a GPU.
    """
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # torch has no type of its own for the processor's memory.
        if not isinstance(error, torch.cuda.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise
        raise DarkroomError(
            f"the memory is not enough for steps of {batch_size} images of {side} x {side} pixels "
            f"({str(error).splitlines()[0][:120]}): set train.batch_size={max(2, batch_size // 2)}, or a smaller "
            "preprocess.size or train.network"
        ) from None


def make_batches(trainable: TrainableModel, train: Packed, config: FitConfig, processes: Processes) -> TrainingBatches:
    """The batches of the training split, made where its images are; in main memory where other processes prepare them."""
    images = trainable.train
    if isinstance(images, torch.Tensor) and config.workers:
        images = images.cpu()
    return TrainingBatches(
        images,
        torch.from_numpy(train.labels),
        train.keys(),
        config.batch_size,
        config.augmentation,
        config.seed,
        balanced=config.balance == "sampler",
        workers=config.workers,
        rank=processes.rank,
        world=processes.world,
    )


def new_train_state(
    trainable: TrainableModel, steps_per_epoch: int, config: FitConfig, device: torch.device
) -> TrainState:
    """The state of a training before its first step."""
    optimizer = make_optimizer(
        config.optimizer,
        trainable.model,
        config.learning_rate,
        config.weight_decay,
        trainable.rate_scale,
        trainable.head,
    )
    steps, warmup, fall = (
        round(epochs * steps_per_epoch) for epochs in (config.epochs, config.warmup, config.step_epochs)
    )
    schedule = make_schedule(config.schedule, optimizer, steps, warmup, fall, config.step_factor)
    ema = EMA(trainable.model, config.ema) if config.ema else None
    # float16 has so little range that small gradients are lost unless the loss is scaled.
    scaler = torch.amp.GradScaler(device.type, enabled=trainable.precision == torch.float16)
    return TrainState(trainable.model, optimizer, schedule, ema, scaler)


def image_loss(train: Packed, config: FitConfig, device: torch.device) -> ImageLoss:
    """The loss of each image, weighted by class where `balance` says so."""
    weights = class_weights(train.labels, config.classes).to(device) if config.balance == "weights" else None
    return make_loss(config.loss, config.label_smoothing, config.focal_gamma, weights)
