"""Mixup and cutmix: every image takes a part of another of its batch, and of its label."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkroom.training.boxes import boxes, inside
from darkroom.training.recipe import Augmentation
from darkroom.training.rng import Chance, on

Mixing = Literal["mixup", "cutmix"]


def partners(chance: Chance) -> npt.NDArray[np.int64]:
    """Whom each image of a whole batch is mixed with, int64 [B]: never itself, but in a batch of one.

    The images stand in a circle in the order of their draws, and each takes the next.
    """
    circle = np.argsort(chance.draw("partner"), kind="stable")
    found = np.empty_like(circle)
    found[circle] = np.roll(circle, -1)
    return found


def choose_mixing(recipe: Augmentation, step: int, seed: int, epoch: int) -> Mixing:
    """What a batch does; with both set, each of them in half of the batches."""
    if recipe.mixup and recipe.cutmix:
        draw = Chance(np.array([step], dtype=np.uint64), seed, epoch).draw("mixup or cutmix")[0]
        return "mixup" if draw < 0.5 else "cutmix"
    return "mixup" if recipe.mixup else "cutmix"


def mix(mixing: Mixing, images: Tensor, others: Tensor, chance: Chance, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix images with others.

    `mixup`: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; `cutmix`: Yun et al. 2019, "CutMix: Regularization
    Strategy to Train Strong Classifiers with Localizable Features". Each image has its own share, where the papers draw one
    for a batch.

    Args:
        mixing: which.
        images, others: uint8 [B, S, S, C].
        chance: of `images`.
        alpha: both parameters of the Beta distribution of the share that an image keeps of itself.

    Returns:
        uint8 [B, S, S, C], and the share that each image kept, float32 [B]; for cutmix the share of its pixels.
    """
    # Imported here: it takes 0.1 s, and few trainings mix.
    from scipy.special import betaincinv

    kept = betaincinv(alpha, alpha, chance.draw("share"))
    if mixing == "mixup":
        share = on(kept, images)
        blend = torch.lerp(others.float(), images.float(), share).add_(0.5).to(torch.uint8)
        return blend, share.flatten()
    side = images.shape[1]
    places = boxes(chance, "cutmix", side, np.round(side * np.sqrt(1 - kept)).astype(np.int64))
    height, width = places[1] - places[0], places[3] - places[2]
    share = on(1 - height * width / side**2, images)
    return torch.where(inside(places, images), others, images), share.flatten()
