"""All that is done to a batch of training images, in order."""

import torch
from torch import Tensor

from darkroom.training.boxes import cut_out
from darkroom.training.colour import recolour
from darkroom.training.geometry import gather
from darkroom.training.recipe import Augmentation
from darkroom.training.rng import Chance
from darkroom.training.transforms import Transforms


def augment(
    images: Tensor, index: Tensor, chance: Chance, recipe: Augmentation, transforms: Transforms | None = None
) -> Tensor:
    """Take images out of the resident ones, and change them one by one; `mixing` comes after this.

    An image depends on its draws alone, and not on the others that are taken with it.

    Args:
        images: uint8 [N, S, S, C], on any device.
        index: int64 [B], which of them, on the same device.
        chance: of those [B].
        recipe: what to do.
        transforms: those of `recipe.albumentations`.

    Returns:
        uint8 [B, S, S, C], on the device of `images`.
    """
    if transforms:
        images = transforms.apply(images[index], chance)
        index = torch.arange(len(images), device=images.device)
    images = gather(images, index, chance, recipe)
    images = recolour(images, chance, recipe)
    return cut_out(images, chance, recipe.cutout) if recipe.cutout else images
