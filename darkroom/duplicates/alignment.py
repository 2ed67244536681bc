"""Align one thumbnail to another as well as a crop allows, and measure how much of the second is in the first."""

import numpy as np

from darkroom.runtime.arrays import Bools, Float32s, UInt8s

# Of each side, as much may have been cropped away: 8%, and a pixel of a small picture rounds up.
REACH = 0.1
STEPS = 3
# Pixels left out on each side where the middle is compared by itself: a wide frame alone makes no copy.
FRAME = 9


def similarity(ones: UInt8s, others: UInt8s, coarse: Bools) -> tuple[Float32s, Float32s, Float32s]:
    """The similarity of pictures when one is aligned to the other.

    The alignment is found by least squares on the first derivatives, in a few steps (Lucas and Kanade 1981), for a shift and a
    stretch across and down. What is compared is detail: the picture less its own blur. Outlines and light make many pictures
    look alike as a whole; detail agrees only in copies.

    Args:
        ones, others: uint8 [n, 32, 32], the pictures of each pair.
        coarse: bool [n], pairs of which a picture is smaller than its thumbnail, which are compared more smoothly.

    Returns:
        Three correlations, float32 [n]: of the whole pictures, of their detail, of the detail in the middle.
    """
    first, second = ones.astype(np.float32), others.astype(np.float32)
    first[coarse], second[coarse] = _smooth(first[coarse]), _smooth(second[coarse])
    # Which of the two shows less is known after one look; that one is fixed, the other is aligned to it.
    small_first, small_second = _halved(first), _halved(second)
    larger = _estimate_moves(small_first, small_second)[:, [1, 3]].sum(1) > 0
    for one, other in ((first, second), (small_first, small_second)):
        one[larger], other[larger] = other[larger], one[larger]
    # From no move at all, first at half the size, where four pixels are as far as eight.
    place = np.zeros((len(first), 4), np.float32)
    now, best = place, np.full(len(first), -2, np.float32)
    for step in range(STEPS):
        if step:
            now = _within_reach(now + _estimate_moves(_moved(small_first, now), small_second))
        place, best = _better(place, best, now, _correlation(_moved(small_first, now), small_second))
    smooth_first, smooth_second = _smooth(first), _smooth(second)
    before = _moved(smooth_first, place)
    now = _within_reach(place + _estimate_moves(before, smooth_second))
    whole = _correlation(before, smooth_second)
    place, whole = _better(place, whole, now, _correlation(_moved(smooth_first, now), smooth_second))
    detail, other_detail = detail_of(_moved(first, place)), detail_of(second)
    inner = slice(FRAME, -FRAME)
    middle = _correlation(detail[:, inner, inner], other_detail[:, inner, inner])
    return whole, _correlation(detail, other_detail), middle


def _better(place: Float32s, best: Float32s, now: Float32s, found: Float32s) -> tuple[Float32s, Float32s]:
    """For each pair the better of two alignments, and its correlation."""
    better = found > best
    return np.where(better[:, None], now, place), np.where(better, found, best)


def _estimate_moves(first: Float32s, second: Float32s) -> Float32s:
    """Shift and stretch across, shift and stretch down, [n, 4], that bring the first nearest to the second."""
    count, side = first.shape[:2]
    places = _places(side)
    across, down = np.gradient(first, 2 / side, axis=(2, 1))
    parts = np.stack([first, across, across * places, down, down * places[:, None]], 1).reshape(count, 5, side * side)
    parts -= parts.mean(2, keepdims=True)
    target = second.reshape(count, side * side) - second.mean((1, 2))[:, None]
    products = parts @ parts.transpose(0, 2, 1)
    # A picture without detail in one direction has no alignment in it: it is not moved.
    own = np.einsum("nii->ni", products)
    own += 1e-3 * own + 1e-3
    share = np.linalg.solve(products, parts @ target[:, :, None])[:, :, 0]
    gain = np.where(np.abs(share[:, :1]) < 0.1, np.float32(0.1), share[:, :1])
    return np.asarray(share[:, 1:] / gain, dtype=np.float32)


def _within_reach(place: Float32s) -> Float32s:
    """Only crops: smaller by at most `REACH`, and from within the picture."""
    place = place.copy()
    for shift, stretch in ((0, 1), (2, 3)):
        place[:, stretch] = np.clip(place[:, stretch], -REACH, 0.01)
        room = np.maximum(-place[:, stretch], 0) + 0.02
        place[:, shift] = np.clip(place[:, shift], -room, room)
    return place


def _moved(pictures: Float32s, place: Float32s) -> Float32s:
    """The pictures moved, by linear interpolation, which is a matrix for each direction."""
    side = pictures.shape[1]
    across, down = _weights(place[:, 0], place[:, 1], side), _weights(place[:, 2], place[:, 3], side)
    return np.asarray(down @ pictures @ across.transpose(0, 2, 1))


def _weights(shift: Float32s, stretch: Float32s, side: int) -> Float32s:
    """[n, new places, pixels]."""
    wanted = (_places(side) * (1 + stretch[:, None]) + shift[:, None] + 1) * (side / 2) - 0.5
    wanted = np.clip(wanted, 0, side - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(wanted[:, :, None] - np.arange(side, dtype=np.float32))))


def _places(side: int) -> Float32s:
    """The middles of the pixels, from -1 to 1."""
    return ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)


def _halved(pictures: Float32s) -> Float32s:
    """[n, 16, 16] of [n, 32, 32], smoothed and averaged."""
    smooth = _smooth(pictures)
    half = pictures.shape[1] // 2
    return np.asarray(smooth.reshape(len(smooth), half, 2, half, 2).mean((2, 4)))


def _smooth(pictures: Float32s) -> Float32s:
    """Blurred with 1-2-1 in both directions, the edge repeated."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return np.asarray((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4)


def detail_of(pictures: Float32s) -> Float32s:
    """Pictures, float32 [n, side, side], less their own blur."""
    fine = _smooth(pictures)
    return fine - _smooth(_smooth(_smooth(fine)))


def _correlation(first: Float32s, second: Float32s) -> Float32s:
    """Of each pair's pixels; 0 where one of them is flat."""
    pixels = first[0].size if len(first) else 1
    first, second = first.reshape(-1, pixels), second.reshape(-1, pixels)
    first, second = first - first.mean(1, keepdims=True), second - second.mean(1, keepdims=True)
    sizes = np.sqrt((first * first).sum(1) * (second * second).sum(1))
    return np.asarray((first * second).sum(1) / np.maximum(sizes, 1e-3))
