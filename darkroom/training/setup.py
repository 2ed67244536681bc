"""What a training starts from: the model spec, the images, and enough memory."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from darkroom.images.pack import Packed, load_packed
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.provenance import code_version, data_version
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.network.pretrained_input import origin
from darkroom.runtime.errors import DarkroomError


def describe(
    network: str,
    settings: Mapping[str, int | float | str],
    weights: str,
    precision: str,
    seed: int,
    ingest: Path,
    splits: Path,
    preprocess: Path,
) -> ModelSpec:
    """The model that a training will make, its epoch still 0.

    Args:
        network: its name.
        settings: what it is built with.
        weights, precision, seed: as in `train`.
        ingest, splits, preprocess: what the stages before wrote.

    Raises:
        DarkroomError: when the arrays were made with another class list.
    """
    classes = load_classes(ingest / "classes.json")
    stats = json.loads((preprocess / "stats.json").read_text(encoding="utf-8"))
    if stats["class_hash"] != classes.hash:
        raise DarkroomError(f"{preprocess} was made with another class list than {ingest}: run `dvc repro`")
    shape = stats["size"], stats["channels"], stats["resize"], stats["decoder"]
    return ModelSpec(
        network=network,
        settings=dict(settings),
        weights=origin(weights),
        classes=classes,
        preprocessing=Preprocessing(*shape, tuple(stats["mean"]), tuple(stats["std"])),
        epoch=0,
        precision=precision,
        seed=seed,
        data_version=data_version(ingest, splits),
        code_version=code_version("train"),
    )


def open_split(folder: Path, classes: ClassList, least: int) -> Packed:
    """The images of a split.

    Args:
        folder: that `preprocess` wrote.
        classes: that the labels count in.
        least: how many images there must be.

    Raises:
        DarkroomError: when there are fewer, or when a label is outside the class list.
    """
    packed = load_packed(folder)
    if len(packed.labels) < least:
        raise DarkroomError(f"{folder} holds {len(packed.labels)} images: training needs {least} or more")
    beyond = np.flatnonzero((packed.labels < 0) | (packed.labels >= len(classes)))
    if len(beyond):
        raise DarkroomError(
            f"{folder}/labels.npy: {len(beyond)} labels are outside the class list of {len(classes)} classes, the first "
            f"is {packed.labels[beyond[0]]} in row {beyond[0]}: run `dvc repro` to make the arrays anew"
        )
    return packed


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
