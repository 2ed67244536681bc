"""Is a kind of images answered worse by more than chance: exact tests within the classes, and an allowance for their number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from darkroom.statistics.paired import holm

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """What a slice's test is made from, for each class of it, int64 [C].

    Attributes:
        labels: which classes these are.
        images: of the class, in the slice and outside.
        wrong: of these, those that were named wrongly.
        inside: images of the class in the slice.
        wrong_inside: of these, those that were named wrongly.
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


def tail(counts: Counts) -> tuple[float, float]:
    """How probable it is that chance puts as many mistakes into the slice, and the least that this could have been.

    If the fact does not matter, each class's mistakes fall on its images blindly: those in the slice follow a hypergeometric
    distribution, and their sum over the classes the convolution of these. A class that is hard makes no slice weak that way.
    It is the exact test of Mantel and Haenszel (1959) for one-sided alternatives.

    Returns:
        P(mistakes inside >= those seen), and P(mistakes inside >= the most that there could be); 1 where nothing is inside.
    """
    if not len(counts.images):
        return 1.0, 1.0
    lowest = np.maximum(0, counts.inside - (counts.images - counts.wrong))
    highest = np.minimum(counts.wrong, counts.inside)
    observed = int((counts.wrong_inside - lowest).sum())
    chances = [
        _hypergeometric(*row) for row in np.stack([counts.images, counts.wrong, counts.inside, lowest, highest], 1)
    ]
    # Pairs of equal length: adding one class after the other would take the square of the time.
    while len(chances) > 1:
        pairs = [np.convolve(chances[k], chances[k + 1]) for k in range(0, len(chances) - 1, 2)]
        chances = pairs + chances[2 * len(pairs) :]
    # Small ones first: a sum from the top would drop them.
    return float(min(1.0, chances[0][observed:][::-1].sum())), float(chances[0][-1])


def able(tests: Sequence[tuple[float, float]], level: float) -> Bools:
    """Which tests could come out at all, and so have to be allowed for.

    One whose least possible probability is above its share of the level can't, whatever is seen (Tarone 1990: "A modified
    Bonferroni method for discrete data").

    Args:
        tests: as `tail` gives them.
        level: for all of them together.

    Returns:
        bool, one for each test.
    """
    least = np.array([each for _, each in tests], np.float64)
    ordered = np.sort(least)
    # The smallest number k for which at most k tests can reach level / k.
    shares = (k for k in range(1, len(ordered) + 1) if np.searchsorted(ordered, level / k, side="right") <= k)
    return least <= level / next(shares, 1)


def adjusted(tests: Sequence[tuple[float, float]], level: float) -> Float64s:
    """Probabilities after allowing for all tests that are `able` to come out, by Holm's method.

    Args:
        tests: as `tail` gives them.
        level: for all of them together.

    Returns:
        float64, one for each test; 1 for those that could not have come out.
    """
    result = np.ones(len(tests))
    possible = able(tests, level)
    result[possible] = holm(np.array([chance for chance, _ in tests], np.float64)[possible])
    return result


def _hypergeometric(images: int, wrong: int, inside: int, lowest: int, highest: int) -> Float64s:
    """The probabilities of `lowest` to `highest` mistakes among `inside` of the images, float64."""
    found = np.arange(lowest, highest + 1)
    logs = _log_choices(wrong, found) + _log_choices(images - wrong, inside - found) - _log_choices(images, inside)
    chances: Float64s = np.exp(logs)
    return chances


def _log_choices(of: int, chosen: Int64s | int) -> Float64s:
    """ln of the binomial coefficient."""
    logs: Float64s = gammaln(of + 1) - gammaln(np.add(chosen, 1)) - gammaln(of - np.asarray(chosen) + 1)
    return logs
