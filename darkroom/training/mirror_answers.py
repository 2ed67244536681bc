"""Whether answers shall be the mean over an image and its mirror image: `predict.mirror`, decided on validation."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from darkroom.images.pack import Packed
from darkroom.inference.logits import logits
from darkroom.network.load import Normalized, linear_head
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.mcnemar import mcnemar
from darkroom.training.choices import SET, Choice
from darkroom.training.mirrored import MirroredClasses

NAME = "predict.mirror"
# Larger images take milliseconds each: twice the work is then felt, and is only done where it is asked for.
LARGEST_SIDE = 64
# p-value of a gain that is more than chance.
SIGNIFICANCE = 0.05


def require_mirrorable(
    requested: Literal["auto"] | bool, model: Normalized, find_mirrored: Callable[[], MirroredClasses]
) -> None:
    """Stop before the training where `predict.mirror=true` would mix up classes, or the network has no form for it.

    Args:
        requested: as `predict.mirror`.
        model: that will be trained.
        find_mirrored: measures which classes are mirror images of each other.

    Raises:
        DarkroomError: naming these classes, or the network.
    """
    if requested is not True:
        return
    if linear_head(model.network) is None:
        raise DarkroomError(
            f"predict.mirror=true needs a linear last layer, and {type(model.network).__name__} has another: set "
            "predict.mirror=false"
        )
    if (mirrored := find_mirrored()).pairs:
        raise DarkroomError(
            f"predict.mirror=true, and {mirrored.text}: their answers would be the same, so set predict.mirror=false"
        )


def choose_mirror(
    requested: Literal["auto"] | bool, flipped: bool, model: Normalized, validation: Packed, precision: torch.dtype
) -> Choice:
    """Whether the trained model answers with the mean over image and mirror image.

    Args:
        requested: as `predict.mirror`.
        flipped: whether it was trained with mirror images; `train.flip=auto` measures whether these are wrong.
        model: trained, and not mirrored; in eval mode afterwards.
        validation: images and labels.
        precision: of the multiplications.

    Returns:
        The decision as `predict.mirror`, with the reason.
    """
    if requested != "auto":
        return Choice(NAME, requested, SET)
    if not flipped:
        return Choice(NAME, False, "the network did not learn from mirror images")
    if linear_head(model.network) is None:
        return Choice(NAME, False, "the last layer is not linear")
    side = validation.images.shape[1]
    if side > LARGEST_SIDE:
        return Choice(NAME, False, f"an image of {side} pixels is work enough")
    device = model.mean.device
    model.eval()
    with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        answers = logits(model, validation.images, device, "mirror")
        of_mirrored = logits(model, validation.images[:, :, ::-1], device, "mirror")
    plain, mirrored = (each.argmax(1) == validation.labels for each in (answers, answers + of_mirrored))
    lost, won = int((plain & ~mirrored).sum()), int((mirrored & ~plain).sum())
    p = float(mcnemar(np.array([lost]), np.array([won]))[0])
    found = f"{won:,} of {len(plain):,} validation images are right only with it, {lost:,} only without it"
    return Choice(NAME, won > lost and p < SIGNIFICANCE, f"{found} (p = {p:.2g})")
