"""The start of a training: the model spec, the network, the images of a split, and the path of its checkpoint."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darkroom.images.pack import Packed, load_packed
from darkroom.images.packed import RECEIPT
from darkroom.inference.device import resolve_precision
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.depth import Depth
from darkroom.model.provenance import code_version, data_version
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.load import Normalized, build_model
from darkroom.network.pretrained import load_pretrained
from darkroom.network.pretrained_input import origin
from darkroom.runtime.arrays import Images
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_json
from darkroom.settings.networks import own_settings
from darkroom.training.distributed import Processes
from darkroom.training.state import checkpoint_path
from darkroom.training.trainable import whiten_first_layer

# `stats.json` beside the arrays: what it must have, by type.
STATS: dict[str, type | tuple[type, ...]] = {
    "class_hash": str, "size": int, "channels": int, "resize": str, "decoder": str, "mean": list, "std": list,
}  # fmt: skip


def new_spec(
    network: str,
    settings: Mapping[str, Any],
    weights: str,
    seed: int,
    *,
    ingest: Path,
    splits: Path,
    arrays: Path,
) -> ModelSpec:
    """The specification of the model that a training will make; precision and epoch are not known yet.

    Args:
        network: its name.
        settings: those of `train`, among which are those that it is built with.
        weights, seed: as in `train`.
        ingest, splits, arrays: folders and table of the stages before.

    Raises:
        DarkroomError: when the arrays were made with another class list.
    """
    classes = load_classes(ingest / "classes.json")
    stats = read_input_json(arrays / "stats.json", STATS)
    if stats["class_hash"] != classes.hash:
        raise DarkroomError(f"{arrays} was made with another class list than {ingest}: run `dvc repro`")
    shape = stats["size"], stats["channels"], stats["resize"], stats["decoder"]
    depth = Depth.from_dict(stats["depth"]) if "depth" in stats else None
    return ModelSpec(
        network=network,
        settings={name: settings[name] for name in own_settings(network)},
        weights=origin(weights),
        classes=classes,
        preprocessing=Preprocessing(*shape, tuple(stats["mean"]), tuple(stats["std"]), depth),
        epoch=0,
        precision="",
        seed=seed,
        data_version=data_version(ingest, splits),
        code_version=code_version("train"),
    )


def new_model(spec: ModelSpec, weights: str, train: Images, device: torch.device) -> tuple[Normalized, str | None]:
    """A network at the start of its training, channels last, and what was loaded into it, for the console.

    Args:
        spec: of the model; its seed is that of the fresh weights.
        weights: as `train.weights`.
        train: training images, uint8 [N, S, S, C].
        device: where the training runs.
    """
    torch.manual_seed(spec.seed)
    # Built on the CPU whatever the device, so that a seed gives the same first weights everywhere.
    model = build_model(spec)
    loaded = load_pretrained(model.network, spec.network, weights)
    if weights == "none":
        whiten_first_layer(model, train, spec.seed)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, loaded


def with_precision(
    spec: ModelSpec, requested: str, model: Normalized, train: Images
) -> tuple[ModelSpec, torch.dtype, str]:
    """The specification with the precision that is trained in, the precision, and why.

    Args:
        requested: as `train.precision`.
        model: as it is trained.
        train: training images, uint8 [N, S, S, C].
    """
    image = torch.from_numpy(np.array(train[:1])).to(model.mean.device)
    precision, reason = resolve_precision(requested, model.mean.device, model, image)
    return replace(spec, precision=str(precision).removeprefix("torch.")), precision, reason


def load_splits(arrays: Path, classes: ClassList) -> tuple[Packed, Packed]:
    """The images of training and validation, as `load_split` gives them."""
    return load_split(arrays / "train", classes, least=2), load_split(arrays / "validation", classes, least=1)


def load_split(folder: Path, classes: ClassList, least: int) -> Packed:
    """The images of a split.

    Args:
        folder: that `arrays` wrote.
        classes: that the labels count in.
        least: how many images there must be.

    Raises:
        DarkroomError: when there are fewer, or when a label is outside the class list.
    """
    packed = load_packed(folder)
    if len(packed.labels) < least:
        raise DarkroomError(f"{folder} has {len(packed.labels)} images: training needs {least} or more")
    beyond = np.flatnonzero((packed.labels < 0) | (packed.labels >= len(classes)))
    if len(beyond):
        raise DarkroomError(
            f"{folder}/labels.npy: {len(beyond)} labels are outside the class list of {len(classes)} classes, the first "
            f"is {packed.labels[beyond[0]]} in row {beyond[0]}: run `dvc repro` to make the arrays anew"
        )
    return packed


def size_note(model: Normalized, spec: ModelSpec, images: int, processes: Processes, reason: str) -> str:
    """One line on what is trained, on how much, where, and in which precision."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    place = processes.device.type if processes.world == 1 else f"{processes.world} processes, {processes.device.type}"
    return f"{spec.network}, {parameters:,} parameters, {images:,} images, {place}, {spec.precision} since {reason}"


def checkpoint_of(folder: Path, settings: str, spec: ModelSpec, device: torch.device, arrays: Path) -> Path:
    """The path of the checkpoint of a training; another path for other settings, code, arrays or hardware.

    Args:
        folder: that holds checkpoints.
        settings: of the training, as text.
        spec: of the model.
        device: its kind counts, the number of processes does not: others may go on.
        arrays: the folder with the arrays of both splits; their receipts count, and nothing is hashed.
    """
    data = [read_input_json(arrays / split / RECEIPT, {"sha256": str})["sha256"] for split in ("train", "validation")]
    return checkpoint_path(folder, settings, spec.code_version, *data, spec.precision, device.type)
