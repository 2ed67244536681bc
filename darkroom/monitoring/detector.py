"""Sequential detection of a shift, with a false-alarm rate that holds: bets on ranks, summed from every possible
beginning.

Under no shift each rank is uniform given the past (`darkroom.monitoring.ranks`), so that a bet's expected factor is 1.
The Shiryaev-Roberts sum R = (R + 1) x factor then grows by one an image on average, and so does any weighted mean of
such sums, however dependent the scores are: until it reaches a level A there are A images or more on average (Shin,
Ramdas, Rinaldo 2022: "E-detectors: a nonparametric framework for sequential change detection"). Nothing is fitted, no
distribution is assumed.
"""

from dataclasses import dataclass

import numpy as np

from darkroom.monitoring.ranks import ClassRanks, Ranks, draw_intervals
from darkroom.runtime.arrays import Float64s, Int64s, UInt64s

# A bet: the fraction of images that shifted, and how far: 1 - f + f * a * u**(a - 1), for ranks u that go up, or for 1
# - u.
BETS = ((1, 1.5), (1, 3), (1, 8), (0.5, 4), (0.5, 20), (0.2, 8), (0.2, 50), (0.08, 50))
# A class that is predicted so many times as often.
CLASS_BETS = ((1, 1.5), (1, 2.5), (1, 5))
# Sums stay numbers, however long an alarm is left alone.
LARGEST = 1e200


@dataclass
class Sums:
    """Of all bets, M of them.

    Attributes:
        roberts: the Shiryaev-Roberts sums, float64 [M].
        growth: the factors multiplied since the latest beginning, float64 [M]: Page's sums, which say since when.
        since: the image of that beginning, int64 [M].
    """

    roberts: Float64s
    growth: Float64s
    since: Int64s

    def add(self, factors: Float64s, image: int) -> None:
        """Add one image, by its number, with the factor of each bet, float64 [M]; NaN leaves a bet as it is."""
        known = factors == factors
        np.copyto(self.roberts, np.minimum((self.roberts + 1) * factors, LARGEST), where=known)
        begins = known & (self.growth <= 1)
        self.since[begins] = image
        self.growth[begins] = 1
        np.copyto(self.growth, np.minimum(self.growth * factors, LARGEST), where=known)


class Detector:
    """Ranks of all scores and of the predicted class, and the sums of their bets.

    Args:
        reference: scores float64 [N, S].
        predicted: classes int64 [N].
        classes: how many there are.
    """

    def __init__(self, reference: Float64s, predicted: Int64s, classes: int) -> None:
        self.ranks, self.classes = Ranks(reference), ClassRanks(predicted, classes)
        scores, watched = len(self.ranks.counts), len(self.classes.counts)
        # The class counts as one more score, and each class as a part of it; a score that is left out counts for nothing.
        weights = np.repeat(self.ranks.used / (2 * len(BETS)), 2 * len(BETS))
        class_weights = np.full(watched * len(CLASS_BETS), 1 / max(1, watched * len(CLASS_BETS)))
        self._weights: Float64s = np.concatenate([weights, class_weights]) / (self.ranks.used.sum() + 1)
        self._owner = np.repeat(np.arange(scores + 1), [2 * len(BETS)] * scores + [len(class_weights)])
        bets = len(self._weights)
        self.sums = Sums(np.zeros(bets), np.ones(bets), np.zeros(bets, np.int64))

    def add(self, scores: Float64s, predicted: Int64s, images: Int64s) -> Float64s:
        """Test images in turn.

        Args:
            scores: float64 [N, S].
            predicted: int64 [N].
            images: int64 [N], the number of each, ascending; it also orders equal values.

        Returns:
            The level after each, float64 [N]: the mean of all sums, whose bound is the run length.
        """
        keys: UInt64s = images.astype(np.uint64)
        low, high = draw_intervals(self.ranks.counts, self.ranks.bins(scores, keys))
        of_scores = _factors(low, high, BETS, both=True)
        low, high = draw_intervals(self.classes.counts, self.classes.bins(predicted, keys))
        of_classes = _factors(low, high, CLASS_BETS, both=False)
        found = np.empty(len(images))
        for row, (image, factors) in enumerate(
            zip(images.tolist(), np.concatenate([of_scores, of_classes], axis=1), strict=True)
        ):
            self.sums.add(factors, image)
            found[row] = self._weights @ self.sums.roberts
        return found

    @property
    def by_score(self) -> Float64s:
        """The part of each score in the level, float64 [S + 1]; the predicted class is the last."""
        parts = np.bincount(self._owner, self._weights * self.sums.roberts, len(self.ranks.counts) + 1)
        return np.asarray(parts, np.float64)

    @property
    def level(self) -> float:
        """The mean of all sums."""
        return float(self._weights @ self.sums.roberts)

    @property
    def since(self) -> int:
        """The image where the shift began: the median of the beginnings of all sums, each weighted by its growth."""
        order = np.argsort(self.sums.since, kind="stable")
        mass = np.cumsum((self._weights * self.sums.growth)[order])
        return int(self.sums.since[order[np.searchsorted(mass, mass[-1] / 2)]])


def _factors(low: Float64s, high: Float64s, bets: tuple[tuple[float, float], ...], both: bool) -> Float64s:
    """What each bet multiplies by when a rank falls into an interval: its mean density there; float64 [N, S * J]."""
    columns = [_mean_density(low, high, fraction, power) for fraction, power in bets]
    if both:
        columns += [_mean_density(1 - high, 1 - low, fraction, power) for fraction, power in bets]
    return np.stack(columns, axis=2).reshape(len(low), -1)


def _mean_density(low: Float64s, high: Float64s, fraction: float, power: float) -> Float64s:
    return np.asarray(1 - fraction + fraction * (high**power - low**power) / (high - low), np.float64)
