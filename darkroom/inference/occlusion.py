"""What an answer loses when a part of the picture is covered; asks the model for nothing but answers, and needs no torch."""

from collections.abc import Callable

import cv2
import numpy as np

from darkroom.runtime.arrays import Float32s, Float64s, Int64s, UInt8s

# Of the grid along a side. Each covering is two cells wide, so that one picture costs 65 answers.
CELLS = 7

# Log-odds that the best covering must cost: below, a map would only show the rounding of the answers.
LEAST_LOSS = 0.01


def occlusion(answer: Callable[[UInt8s], Float32s], images: UInt8s, classes: Int64s, cells: int = CELLS) -> Float32s:
    """Heat maps by occlusion (Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, section 4.2).

    A square of two by two cells wanders over the picture by one cell, beyond the edges by one, so that each cell is covered
    four times; a cell's heat is the mean of what these four cost. Two things are other than in the paper. What counts is the
    log-odds of the class in place of its probability, which stays at 1 whatever is covered where the model is confident. And
    the square has the picture's median colour in place of grey, which on a black background would be a new object.

    Args:
        answer: gives probabilities float32 [M, K] of images uint8 [M, S, S, C].
        images: uint8 [N, S, S, C]; may be memory-mapped.
        classes: int64 [N], the class to explain for each image.
        cells: of the grid along a side, S or fewer.

    Returns:
        float32 [N, S, S] in [0, 1]; all zeros where no covering costs the class anything.
    """
    maps = np.empty(images.shape[:3], np.float32)
    for number, label in enumerate(classes.tolist()):
        maps[number] = _heat(answer, np.asarray(images[number]), label, cells)
    return maps


def _heat(answer: Callable[[UInt8s], Float32s], image: UInt8s, label: int, cells: int) -> Float32s:
    """The heat map float32 [S, S] of one image uint8 [S, S, C]."""
    side = image.shape[0]
    edges = np.linspace(0, side, cells + 1).round().astype(int)
    places = range(-1, cells)
    starts, ends = edges[[max(place, 0) for place in places]], edges[[min(place + 2, cells) for place in places]]
    covered = np.repeat(image[None], (cells + 1) ** 2 + 1, axis=0)
    colour = np.median(image, axis=(0, 1)).astype(np.uint8)
    windows = [(slice(*rows), slice(*columns)) for rows in zip(starts, ends, strict=True)
               for columns in zip(starts, ends, strict=True)]  # fmt: skip
    for picture, window in zip(covered[1:], windows, strict=True):
        picture[window] = colour
    odds = _log_odds(answer(covered), label)
    losses = (odds[0] - odds[1:]).reshape(cells + 1, cells + 1)
    heat = np.maximum((losses[:-1, :-1] + losses[1:, :-1] + losses[:-1, 1:] + losses[1:, 1:]) / 4, 0)
    if heat.max() < LEAST_LOSS:
        return np.zeros((side, side), np.float32)
    shown = np.asarray(cv2.resize(heat.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    shown /= shown.max()
    return shown


def _log_odds(probabilities: Float32s, label: int) -> Float64s:
    """float64 [M]. The others are added up, which near a probability of 1 is exact where 1 - p is not."""
    exact = np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)
    odds: Float64s = np.log(exact[:, label]) - np.log(np.delete(exact, label, axis=1).sum(axis=1))
    return odds
