"""Is a kind of images predicted worse by more than chance: exact tests within the classes, corrected for their number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from darkroom.runtime.arrays import Bools, Float64s, Int64s
from darkroom.statistics.paired import holm


@dataclass(frozen=True)
class Counts:
    """What a slice's test is made from, for each class of it, int64 [C].

    Attributes:
        labels: which classes these are.
        images: of the class, in the slice and outside.
        wrong: of these, those predicted wrongly.
        inside: images of the class in the slice.
        wrong_inside: of these, those predicted wrongly.
    """

    labels: Int64s
    images: Int64s
    wrong: Int64s
    inside: Int64s
    wrong_inside: Int64s

    @property
    def surplus(self) -> Float64s:
        """Mistakes in the slice beyond those to be expected, float64 [C]."""
        surplus: Float64s = self.wrong_inside - self.inside * self.wrong / self.images
        return surplus

    def without(self, label: int) -> "Counts":
        """The same of all classes but one."""
        keep = self.labels != label
        return Counts(*(each[keep] for each in (self.labels, self.images, self.wrong, self.inside, self.wrong_inside)))

    @property
    def excess(self) -> float:
        """Mistakes in the slice beyond those to be expected, in standard deviations."""
        expected = self.inside * self.wrong / self.images
        others = (
            (self.images - self.inside) * (self.images - self.wrong) / (self.images * np.maximum(self.images - 1, 1))
        )
        spread = (expected * others).sum()
        return float(self.surplus.sum() / spread**0.5) if spread > 0 else 0.0


def exact_test(counts: Counts) -> tuple[float, float]:
    """How probable it is that chance puts as many mistakes into the slice, and the least that this could have been.

    If the fact does not matter, each class's mistakes fall on its images blindly: those in the slice follow a hypergeometric
    distribution, and their sum over the classes the convolution of these. A class that is hard makes no slice weak that way.
    It is the exact test of Mantel and Haenszel (1959) for one-sided alternatives.

    Returns:
        P(mistakes inside >= those observed), and P(mistakes inside >= the most that there could be); 1 where nothing is inside.
    """
    if not len(counts.images):
        return 1.0, 1.0
    lowest = np.maximum(0, counts.inside - (counts.images - counts.wrong))
    highest = np.minimum(counts.wrong, counts.inside)
    observed = int((counts.wrong_inside - lowest).sum())
    probabilities = [
        _hypergeometric(*row) for row in np.stack([counts.images, counts.wrong, counts.inside, lowest, highest], 1)
    ]
    # Pairs of equal length: adding one class after the other would take the square of the time.
    while len(probabilities) > 1:
        pairs = [np.convolve(probabilities[k], probabilities[k + 1]) for k in range(0, len(probabilities) - 1, 2)]
        probabilities = pairs + probabilities[2 * len(pairs) :]
    # Small ones first: a sum from the top would drop them.
    return float(min(1.0, probabilities[0][observed:][::-1].sum())), float(probabilities[0][-1])


def testable(tests: Sequence[tuple[float, float]], level: float) -> Bools:
    """Which tests could come out at all, and so have to be allowed for.

    One whose least possible probability is above its part of the level can't, whatever is observed (Tarone 1990: "A modified
    Bonferroni method for discrete data").

    Args:
        tests: as `exact_test` gives them.
        level: for all of them together.

    Returns:
        bool, one for each test.
    """
    least = np.array([each for _, each in tests], np.float64)
    ordered = np.sort(least)
    # The smallest number k for which at most k tests can reach level / k.
    ranks = (k for k in range(1, len(ordered) + 1) if np.searchsorted(ordered, level / k, side="right") <= k)
    return least <= level / next(ranks, 1)


def adjusted(tests: Sequence[tuple[float, float]], level: float) -> Float64s:
    """Probabilities after allowing for all tests that are `testable`, by Holm's method.

    Args:
        tests: as `exact_test` gives them.
        level: for all of them together.

    Returns:
        float64, one for each test; 1 for those that could not have come out.
    """
    result = np.ones(len(tests))
    possible = testable(tests, level)
    result[possible] = holm(np.array([p for p, _ in tests], np.float64)[possible])
    return result


def _hypergeometric(images: int, wrong: int, inside: int, lowest: int, highest: int) -> Float64s:
    """The probabilities of `lowest` to `highest` mistakes among `inside` of the images, float64."""
    found = np.arange(lowest, highest + 1)
    logs = _log_choices(wrong, found) + _log_choices(images - wrong, inside - found) - _log_choices(images, inside)
    probabilities: Float64s = np.exp(logs)
    return probabilities


def _log_choices(of: int, chosen: Int64s | int) -> Float64s:
    """ln of the binomial coefficient."""
    logs: Float64s = gammaln(of + 1) - gammaln(np.add(chosen, 1)) - gammaln(of - np.asarray(chosen) + 1)
    return logs
