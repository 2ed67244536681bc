"""Rectangles in images: blanked for cutout, filled from another image for cutmix."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkroom.training.colour import mean
from darkroom.training.rng import Chance


def boxes(chance: Chance, purpose: str, side: int, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A square of the given length around any pixel of each image, cut off at the edge.

    Args:
        chance: of the images [B].
        purpose: tells this draw from others.
        side: of the images.
        lengths: int64 [B], in pixels.

    Returns:
        int64 [4, B]: first row, end of rows, first column, end of columns.
    """
    edges: list[npt.NDArray[np.int64]] = []
    for axis in ("rows", "columns"):
        first = (chance.draw(f"{purpose} {axis}") * side).astype(np.int64) - lengths // 2
        edges += [first, first + lengths]
    return np.array(edges).clip(0, side)


def inside(places: npt.NDArray[np.int64], images: Tensor) -> Tensor:
    """Which pixels of images [B, S, S, C] lie in their boxes, bool [B, S, S, 1]."""
    pixel = torch.arange(images.shape[1], device=images.device)
    top, bottom, left, right = torch.from_numpy(places).to(images.device)[:, :, None]
    rows, columns = (pixel >= top) & (pixel < bottom), (pixel >= left) & (pixel < right)
    found: Tensor = rows[:, :, None] & columns[:, None, :]
    return found[..., None]


def cut_out(images: Tensor, chance: Chance, share: float) -> Tensor:
    """Fill a square of each image with the image's mean colour.

    DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout": the middle is any pixel,
    so that the square may lie partly beyond the edge. They fill with the mean of the data set.

    Args:
        images: uint8 [B, S, S, C].
        chance: of these images.
        share: the square's side as a share of S.
    """
    side = images.shape[1]
    lengths = np.full(len(images), round(share * side))
    if not lengths.any():
        return images
    colour = (mean(images, (1, 2)) + 0.5).to(torch.uint8)
    return torch.where(inside(boxes(chance, "cutout", side, lengths), images), colour, images)
