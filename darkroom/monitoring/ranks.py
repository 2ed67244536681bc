"""Ranks of a value among a reference and everything seen since, in a bounded state.

The reference's values leave gaps between them. If live values come from where the reference comes from, then the next
one falls into each gap with the probability (1 + values in it so far) / (all gaps + values so far), whatever the
distribution is: Pólya's urn, which is what conformal ranks are (Vovk, Gammerman, Shafer 2005: "Algorithmic learning in
a random world"). Neighbouring gaps can be joined to bins without an approximation, so that a few dozen counts hold the
ranks among any number of values. Equal values are ordered by a random number of their own.
"""

import numpy as np

from darkroom.runtime.arrays import Bools, Float64s, Int64s, UInt64s
from darkroom.runtime.seeding import uniform_per_image

# Bins of equal probability, and of 1, 2, 4, … gaps at both ends, where a shift shows first.
EVEN, ENDS = 40, 8


class Ranks:
    """Bins of several scores.

    Args:
        reference: float64 [N, S]; a score with NaN is left out.
    """

    def __init__(self, reference: Float64s) -> None:
        images, scores = reference.shape
        self.used: Bools = np.asarray(~np.isnan(reference).any(axis=0), np.bool_)
        ties = _ties(np.arange(images, dtype=np.uint64), scores, "reference")
        places = _boundaries(images)
        # [S, B - 1] each: the value that begins a bin, and the random number that orders it among equal ones.
        order = [np.lexsort((ties[:, score], reference[:, score]))[places] for score in range(scores)]
        self._values = np.stack([reference[found, score] for score, found in enumerate(order)])
        self._ties = np.stack([ties[found, score] for score, found in enumerate(order)])
        gaps = np.diff(np.concatenate([[0], places + 1, [images + 1]]))
        self.counts: Float64s = np.tile(gaps, (scores, 1)).astype(np.float64)

    def bins(self, values: Float64s, keys: UInt64s) -> Int64s:
        """The bin of each value, int64 [N, S]; -1 for NaN and for scores that are left out.

        Args:
            values: float64 [N, S].
            keys: uint64 [N], another one for each image.
        """
        ties = _ties(keys, values.shape[1], "live")[:, :, None]
        found = values[:, :, None]
        past = (self._values < found) | ((self._values == found) & (self._ties < ties))
        return np.where(np.isnan(values) | ~self.used, -1, past.sum(axis=2))


class ClassRanks:
    """For each class two bins: another class was predicted, this one was.

    Args:
        predicted: of the reference, int64 [N].
        classes: how many there are.
        most: the most frequent so many are watched each; a rarer one shows in the other scores.
    """

    def __init__(self, predicted: Int64s, classes: int, most: int = 96) -> None:
        self._with = np.bincount(predicted, minlength=classes)
        order = np.argsort(-self._with, kind="stable")[:most]
        self.watched: Int64s = np.sort(order[self._with[order] > 0])
        ones = self._with[self.watched]
        self.counts: Float64s = np.stack([len(predicted) - ones + 1, ones], axis=1).astype(np.float64)

    def bins(self, predicted: Int64s, keys: UInt64s) -> Int64s:
        """1 where a class was predicted and its random number is above that of the least such one of the reference."""
        hit = predicted[:, None] == self.watched
        above = uniform_per_image(keys, "class")[:, None] >= 1 / (self._with[self.watched] + 1)
        return np.asarray(hit & above, np.int64)


def draw_intervals(counts: Float64s, bins: Int64s) -> tuple[Float64s, Float64s]:
    """The interval of [0, 1] that each value's bin has when its turn comes; `counts` gets the values.

    Args:
        counts: float64 [S, B], changed.
        bins: int64 [N, S], in the order of the images.

    Returns:
        The lower and the upper end, float64 [N, S]; NaN for values that are left out.
    """
    valid = bins >= 0
    drawn = np.zeros((*bins.shape, counts.shape[1]))
    np.put_along_axis(drawn, np.maximum(bins, 0)[:, :, None], valid[:, :, None].astype(np.float64), axis=2)
    before = drawn.cumsum(axis=0) - drawn + counts
    upto = before.cumsum(axis=2)
    at = np.maximum(bins, 0)[:, :, None]
    high = np.take_along_axis(upto, at, axis=2)[:, :, 0] / upto[:, :, -1]
    low = high - np.take_along_axis(before, at, axis=2)[:, :, 0] / upto[:, :, -1]
    counts += drawn.sum(axis=0)
    return np.where(valid, low, np.nan), np.where(valid, high, np.nan)


def _ties(keys: UInt64s, scores: int, purpose: str) -> Float64s:
    return np.stack([uniform_per_image(keys, purpose, score) for score in range(scores)], axis=1)


def _boundaries(images: int) -> Int64s:
    """Places in the sorted reference where a bin begins, ascending."""
    ends = 2 ** np.arange(ENDS)
    even = np.rint(np.arange(1, EVEN) / EVEN * images).astype(np.int64)
    gaps_below = np.concatenate([ends, even, images + 1 - ends])
    return np.unique(gaps_below[(gaps_below >= 1) & (gaps_below <= images)]).astype(np.int64) - 1
