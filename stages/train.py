"""Fit a network; choose the epoch on validation.

Reads: data/preprocess/ (train, validation, stats.json), data/ingest/classes.json, and for the data version the manifest and
the split table.
Writes: models/train/: weights.safetensors, model.json; reports/train/: training.json, examples.npy,
    DVCLive's curves and metrics. `report` draws the page.
Costs: most of the line's time. Killed and started again, it goes on where it was, within an epoch too.
    `torchrun --nproc-per-node 2 -m stages.train` trains in two processes.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from darkroom.images.pack import Packed
from darkroom.inference.device import deterministic, keep_freed_memory, settle_precision, spare_depthwise
from darkroom.model.spec import ModelSpec
from darkroom.network.load import Normalized, build_model, save_model
from darkroom.network.pretrained import load_pretrained
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder
from darkroom.runtime.stage import stage
from darkroom.settings.base import read_section
from darkroom.settings.networks import own_settings
from darkroom.settings.train import Train
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import TrainingBatches
from darkroom.training.choices import SET, Choices, make_choices
from darkroom.training.curves import Epoch, write_curves
from darkroom.training.distributed import Processes, joined_processes
from darkroom.training.examples import augmented_examples
from darkroom.training.loop import Plan, fit
from darkroom.training.losses import class_weights, make_loss, tell_balance
from darkroom.training.record import TrainingRecord, UsedSetting, write_record
from darkroom.training.setup import describe, enough_memory, open_split
from darkroom.training.state import (
    FOLDER,
    Training,
    checkpoint_path,
    load_checkpoint,
    new_training,
    save_checkpoint,
)
from darkroom.training.trainable import Learner, head_on_features, whiten_first_layer, whole_network

INGEST, SPLITS_TABLE, PREPROCESS = Path("data/ingest"), Path("data/split/splits.parquet"), Path("data/preprocess")
OUT, REPORTS = Path("models/train"), Path("reports/train")

# With fewer steps an epoch, twelve epochs are too few for the running statistics of batch normalisation to settle.
FEW_STEPS = 10


def run(
    settings: Train,
    ingest: Path,
    splits: Path,
    preprocess: Path,
    out: Path,
    reports: Path,
    checkpoints: Path = FOLDER,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Train one network.

    Args:
        settings: the section `train` of the parameters; it goes no further than this module.
        ingest, splits, preprocess: what the stages before wrote.
        out: the folder for the weights.
        reports: the folder for the record and the curves.
        checkpoints: the folder for the checkpoint of an unfinished training.
        after_epoch: called with each finished epoch; what it raises ends the training.

    Raises:
        DarkroomError: when the arrays were made with another class list, when there is no such network, when it does not
            take images of this size, when there are too few images, when the memory is not enough, or when the loss or a
            weight is no longer a number.
    """
    with joined_processes() as processes:
        own = {name: getattr(settings, name) for name in own_settings(settings.network)}
        wish = settings.weights, settings.precision, settings.seed
        spec = describe(settings.network, own, *wish, ingest, splits, preprocess)
        if settings.loss == "binary" and len(spec.classes) != 2:
            raise DarkroomError(
                f"train.loss=binary is for 2 classes, and there are {len(spec.classes)}: set train.loss=cross_entropy"
            )
        train = open_split(preprocess / "train", spec.classes, least=2)
        validation = open_split(preprocess / "validation", spec.classes, least=1)
        torch.manual_seed(settings.seed)
        deterministic()
        keep_freed_memory()
        # Built on the CPU whatever the device, so that a seed gives the same first weights everywhere.
        model = build_model(spec)
        loaded = load_pretrained(model.network, settings.network, settings.weights)
        if settings.weights == "none":
            whiten_first_layer(model, train.images, settings.seed)
        model.to(processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.from_numpy(np.array(train.images[:1])).to(processes.device)
        precision, reason = settle_precision(settings.precision, processes.device, model, image)
        choices = _choose(settings, len(train.labels))
        if processes.first:
            print(f"train: {_size(model, spec, train, processes)}, {_name(precision)} since {reason}")
            lines = [loaded, tell_balance(train.labels, spec.classes.names, settings.balance), *choices.told()]
            print("\n".join(f"train: {line}" for line in lines if line))
        files = [
            preprocess / part / name
            for part in ("train", "validation")
            for name in ("images.npy", "labels.npy", "ids.npy")
        ]
        what = (
            settings.model_dump_json(),
            spec.code_version,
            str(precision),
            str(processes.world),
            processes.device.type,
        )
        checkpoint = checkpoint_path(checkpoints, *what, files=files)
        with enough_memory(choices.batch_size.value, spec.preprocessing.size):
            learner = _learner(settings, model, train, validation, precision)
            training = _fit(
                settings, spec, choices, learner, train, validation, precision, processes, checkpoint, after_epoch
            )
        if processes.first:
            best = training.best()
            recipe = _recipe(settings)
            names = spec.classes.names
            shown = augmented_examples(train.images, train.labels, train.keys(), names, recipe, settings.seed)
            record = TrainingRecord(training.history, best, _used_settings(settings, choices), shown)
            with whole_folder(out) as folder, whole_files(reports) as report:
                save_model(model, replace(spec, epoch=best.number, precision=_name(precision)), folder)
                write_curves(training.history, best, report)
                write_record(report, record)
            checkpoint.unlink(missing_ok=True)
            print(f"train: kept epoch {best.number}, validation accuracy {best.validation_accuracy:.2%}")


def _choose(settings: Train, images: int) -> Choices:
    return make_choices(
        network=settings.network,
        images=images,
        pretrained=settings.weights != "none",
        head_alone=settings.freeze == "backbone" and not settings.unfreeze,
        batch_size=settings.batch_size,
        loss=settings.loss,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def _used_settings(settings: Train, choices: Choices) -> list[UsedSetting]:
    """Every setting as it was used, those that could be chosen for the user first."""
    chosen = vars(choices)
    made = [
        UsedSetting(name, str(choice.value), "" if choice.reason == SET else choice.reason)
        for name, choice in chosen.items()
    ]
    plain = [UsedSetting(name, str(value), "") for name, value in settings.model_dump().items() if name not in chosen]
    return made + plain


def _size(model: Normalized, spec: ModelSpec, train: Packed, processes: Processes) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    where = processes.device.type if processes.world == 1 else f"{processes.world} processes, {processes.device.type}"
    return f"{spec.network}, {parameters:,} parameters, {len(train.labels):,} images, {where}"


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")


def _recipe(settings: Train) -> Augmentation:
    return Augmentation(**{field.name: getattr(settings, field.name) for field in fields(Augmentation)})


def _learner(settings: Train, model: Normalized, train: Packed, validation: Packed, precision: torch.dtype) -> Learner:
    """The whole network; or its last layer, where nothing else will ever change."""
    if settings.freeze == "backbone" and not settings.unfreeze and _recipe(settings).nothing:
        return head_on_features(model, train.images, validation.images, precision)
    if precision == torch.bfloat16 and model.mean.device.type == "cpu":
        spare_depthwise(model)
    frozen = settings.freeze, settings.unfreeze, settings.layer_decay
    return whole_network(model, train.images, validation.images, *frozen)


def _fit(
    settings: Train,
    spec: ModelSpec,
    choices: Choices,
    learner: Learner,
    train: Packed,
    validation: Packed,
    precision: torch.dtype,
    processes: Processes,
    checkpoint: Path,
    after_epoch: Callable[[Epoch], None] | None,
) -> Training:
    """Train what learns, from the checkpoint on where there is one."""
    device = processes.device
    # Resident where the steps run, unless other processes prepare the batches.
    near = torch.device("cpu") if settings.workers else device
    batches = TrainingBatches(
        learner.train.to(near),
        torch.from_numpy(train.labels).to(near),
        train.keys(),
        choices.batch_size.value,
        _recipe(settings),
        settings.seed,
        evenly=settings.balance == "sampler",
        workers=settings.workers,
        rank=processes.rank,
        world=processes.world,
    )
    weights = class_weights(train.labels, len(spec.classes)).to(device) if settings.balance == "weights" else None
    an_epoch = len(batches)
    steps = [round(epochs * an_epoch) for epochs in (settings.epochs, settings.warmup, settings.step_epochs)]
    training = new_training(
        learner,
        (choices.optimizer.value, choices.learning_rate.value, choices.weight_decay.value),
        (settings.schedule, steps[0], steps[1], steps[2], settings.step_factor),
        settings.ema,
        precision,
        device,
    )
    if processes.first:
        if learner.told:
            print(f"train: {learner.told}")
        if an_epoch < FEW_STEPS:
            print(
                f"train: only {an_epoch} steps an epoch, since {len(train.labels):,} images make few batches of "
                f"{choices.batch_size.value}; a smaller train.batch_size or more train.epochs learns more"
            )
    if state := load_checkpoint(checkpoint):
        training.restore(state)
        if processes.first:
            done = f"epoch {len(training.history)}" + (
                f" and {training.progress.step} steps" if training.progress.step else ""
            )
            print(f"train: going on after {done}, from {checkpoint}")

    def keep() -> None:
        if processes.first:
            save_checkpoint(checkpoint, training.state())

    loss = make_loss(choices.loss.value, settings.label_smoothing, settings.focal_gamma, weights)
    plan = Plan(
        settings.epochs, settings.patience, loss, precision, settings.clip_gradient, settings.seed, learner.learning
    )
    held_out = learner.validation.to(device), torch.from_numpy(validation.labels).to(device)
    fit(training, batches, held_out, plan, processes, keep, after_epoch)
    return training


def main() -> None:
    with stage("train"):
        run(read_section(Train), INGEST, SPLITS_TABLE, PREPROCESS, OUT, REPORTS)


if __name__ == "__main__":
    main()
