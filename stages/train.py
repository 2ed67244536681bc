"""Fit a network; choose the epoch on validation.

Reads: data/preprocess/ (train, validation, stats.json), data/ingest/classes.json, and for the data version the manifest and
the split table.
Writes: models/train/: weights.safetensors, model.json; reports/train/: DVCLive's curves and metrics.
Costs: most of the line's time. Killed and started again, it goes on after the last finished epoch.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from darkroom.classes import load_classes
from darkroom.errors import DarkroomError
from darkroom.images.packed import load_packed
from darkroom.images.pixels import Preprocessing, UInt8s
from darkroom.learning.balance import class_weights, tell_balance
from darkroom.learning.batches import TrainingBatches
from darkroom.learning.checkpoint import FOLDER, checkpoint_path, load_checkpoint, save_checkpoint
from darkroom.learning.curves import write_curves
from darkroom.learning.loop import Epoch, Training, fit
from darkroom.learning.optimizers import make_optimizer, make_schedule
from darkroom.learning.precision import choose_device, choose_precision, starved_convolution
from darkroom.model import ModelSpec
from darkroom.network.load import build_model, save_model
from darkroom.network.names import SIMPLE_CNN
from darkroom.network.normalized import Normalized
from darkroom.params import read_params
from darkroom.provenance import code_version, data_version
from darkroom.sections import Train
from darkroom.stage import stage
from darkroom.writing import whole_folder

INGEST, SPLITS_TABLE, PREPROCESS = Path("data/ingest"), Path("data/split/splits.parquet"), Path("data/preprocess")
OUT, REPORTS = Path("models/train"), Path("reports/train")

# With fewer steps an epoch, twelve epochs are too few for the running statistics of batch normalisation to settle.
FEW_STEPS = 10


def run(
    settings: Train, ingest: Path, splits: Path, preprocess: Path, out: Path, reports: Path, checkpoints: Path = FOLDER
) -> None:
    """Train one network.

    Args:
        settings: the section `train` of the parameters; it goes no further than this function.
        ingest, splits, preprocess: what the stages before wrote.
        out: the folder for the weights.
        reports: the folder for the curves.
        checkpoints: the folder for the checkpoint of an unfinished training.

    Raises:
        DarkroomError: when the arrays were made with another class list, when there is no such network, when it does not
            take images of this size, when there are too few images, or when the loss or a weight is no longer a number.
    """
    spec = _describe(settings, ingest, splits, preprocess)
    device = choose_device()
    precision, reason = choose_precision(settings.precision, device)
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    # Built on the CPU whatever the device, so that a seed gives the same first weights everywhere.
    model = build_model(spec).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train, validation = load_packed(preprocess / "train"), load_packed(preprocess / "validation")
    precision, reason = _avoid_starved_gradients(settings.precision, precision, reason, model, train.images[:1])
    if len(train.labels) < 2:
        raise DarkroomError(f"{preprocess / 'train'} holds {len(train.labels)} images: training needs 2 or more")
    batches = TrainingBatches(
        torch.from_numpy(np.array(train.images)),
        torch.from_numpy(train.labels),
        train.keys(),
        settings.batch_size,
        settings.flip,
        settings.shift,
        settings.seed,
        evenly=settings.balance == "sampler",
    )
    weights = class_weights(train.labels, len(spec.classes)) if settings.balance == "weights" else None
    optimizer = make_optimizer(settings.optimizer, model, settings.learning_rate, settings.weight_decay)
    schedule = make_schedule(settings.schedule, optimizer, settings.epochs * len(batches))
    training = Training(model, optimizer, schedule, history=[], best_weights={})

    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"train: {spec.network}, {parameters:,} parameters, {len(train.labels):,} images, {device.type}, "
        f"{str(precision).removeprefix('torch.')} since {reason}"
    )
    if line := tell_balance(train.labels, spec.classes.names, settings.balance):
        print(f"train: {line}")
    if len(batches) < FEW_STEPS:
        print(
            f"train: only {len(batches)} steps an epoch, since {len(train.labels):,} images make few batches of "
            f"{settings.batch_size}; a smaller train.batch_size or more train.epochs learns more"
        )
    files = [
        preprocess / part / name for part in ("train", "validation") for name in ("images.npy", "labels.npy", "ids.npy")
    ]
    path = checkpoint_path(checkpoints, settings.model_dump_json(), spec.code_version, str(precision), files=files)
    if state := load_checkpoint(path):
        training.restore(state)
        print(f"train: going on after epoch {len(training.history)}, from {path}")

    def keep(epoch: Epoch) -> None:
        save_checkpoint(path, training.state())

    held_out = torch.from_numpy(np.array(validation.images)), torch.from_numpy(validation.labels)
    fit(training, batches, held_out, settings.epochs, settings.patience, precision, settings.seed, keep, weights)

    best = training.best()
    with whole_folder(out) as folder, whole_folder(reports) as curves:
        save_model(model, replace(spec, epoch=best.number, precision=str(precision).removeprefix("torch.")), folder)
        write_curves(training.history, best, curves)
    path.unlink(missing_ok=True)
    print(f"train: kept epoch {best.number}, validation accuracy {best.validation_accuracy:.2%}")


def _avoid_starved_gradients(
    wish: str, precision: torch.dtype, reason: str, model: Normalized, image: UInt8s
) -> tuple[torch.dtype, str]:
    """float32 instead of bfloat16 where torch's bfloat16 gradients can't be trusted; an error where bfloat16 was set."""
    if precision != torch.bfloat16 or model.mean.device.type != "cpu":
        return precision, reason
    starved = starved_convolution(model, torch.from_numpy(np.array(image)))
    if starved is None:
        return precision, reason
    if wish == "bfloat16":
        raise DarkroomError(
            f"the network has {starved}, whose bfloat16 gradients are wrong in torch {torch.__version__}: set "
            "train.precision=auto, or a larger preprocess.size"
        )
    return torch.float32, f"bfloat16 gradients are wrong for {starved}"


def _describe(settings: Train, ingest: Path, splits: Path, preprocess: Path) -> ModelSpec:
    """What will stand beside the weights, before there are any."""
    classes = load_classes(ingest / "classes.json")
    stats = json.loads((preprocess / "stats.json").read_text(encoding="utf-8"))
    if stats["class_hash"] != classes.hash:
        raise DarkroomError(f"{preprocess} was made with another class list than {ingest}: run `dvc repro`")
    own = {"filters": settings.filters, "depth": settings.depth, "dropout": settings.dropout}
    return ModelSpec(
        network=settings.network,
        settings=own if settings.network == SIMPLE_CNN else {},
        classes=classes,
        preprocessing=Preprocessing(
            stats["size"],
            stats["channels"],
            stats["resize"],
            stats["decoder"],
            tuple(stats["mean"]),
            tuple(stats["std"]),
        ),
        epoch=0,
        precision=settings.precision,
        seed=settings.seed,
        data_version=data_version(ingest, splits),
        code_version=code_version("train"),
    )


def main() -> None:
    with stage("train"):
        run(read_params().train, INGEST, SPLITS_TABLE, PREPROCESS, OUT, REPORTS)


if __name__ == "__main__":
    main()
