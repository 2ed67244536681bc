"""The score test of two models on the same images: is a loss in accuracy within a margin, or shown to be beyond it."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Bools, Float64s

BISECTIONS = 60
Z95, Z80 = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)


def paired_interval(lost: float, won: float, images: int, confidence: float) -> tuple[float, float]:
    """The score interval of a loss in accuracy, of two models on the same images.

    Only the images count that one model alone predicts correctly. Tango 1998: "Equivalence test and confidence interval for
    the difference in proportions for the paired-sample design"; its upper end is the score test of non-inferiority. Where no
    prediction changes, it is z² / (n + z²), as Wilson's.

    Args:
        lost: images that the first model alone predicts correctly.
        won: images that the second alone predicts correctly.
        images: all of them, at least one.
        confidence: 0.95 for 95%.

    Returns:
        The lower and the upper end, within -1 and 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return -_upper_end(won, lost, images, z), _upper_end(lost, won, images, z)


def _upper_end(lost: float, won: float, n: int, z: float) -> float:
    """The loss at which the score test is just significant at `z`, by bisection: the statistic falls as the loss grows."""
    low, high = (lost - won) / n, 1.0
    for _ in range(BISECTIONS):
        loss = (low + high) / 2
        b, c = (2 * n - lost + won) * loss - lost - won, -won * loss * (1 - loss)
        # The likeliest share of images that only the second predicts correctly, given the loss.
        gain = (sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        deviation = sqrt(max(0.0, n * (2 * gain + loss * (1 - loss))))
        low, high = (loss, high) if n * loss - (lost - won) < z * deviation else (low, loss)
    return high


def within(lost: npt.ArrayLike, won: npt.ArrayLike, images: npt.ArrayLike, margin: float, z: float = Z95) -> Bools:
    """Whether a loss is shown to be at most `margin`: whether the upper end of `paired_interval` is, without a search for it.

    Args:
        lost, won, images: counts as for `paired_interval`, numbers or [M].
        margin: above 0.
        z: 1.96 for the ends of a 95% interval.

    Returns:
        bool with the shape of the counts.
    """
    lost, won, n = (np.asarray(each, np.float64) for each in (lost, won, images))
    gain = _likeliest_gain(lost, won, n, margin)
    deviation = np.sqrt(np.maximum(0, n * (2 * gain + margin * (1 - margin))))
    shown: Bools = n * margin - (lost - won) >= z * deviation
    return shown


def _likeliest_gain(lost: Float64s, won: Float64s, n: Float64s, loss: float) -> Float64s:
    b, c = (2 * n - lost + won) * loss - lost - won, -won * loss * (1 - loss)
    gain: Float64s = (np.sqrt(np.maximum(0, b * b - 8 * n * c)) - b) / (4 * n)
    return gain


def beyond(lost: int, won: int, images: int, margin: float) -> float:
    """The p-value of a loss that is larger than `margin`: how often one that is just as large as it would look as bad.

    The distribution of lost less won is computed, not approximated: of the few images of a class the score test would find
    one lost of three to be beyond chance. The share of images that are won is the likeliest one at that loss (the estimated
    p-value of Storer and Kim 1990, for pairs).

    Args:
        lost, won, images: counts as for `paired_interval`.
        margin: 0 or more; below 1.
    """
    lost_of, won_of, of = (np.array(each, np.float64) for each in (lost, won, images))
    gain = min(float(_likeliest_gain(lost_of, won_of, of, margin)), (1 - margin) / 2)
    # Of one image: won, neither, lost. The sum over all has the power of its Fourier transform.
    one = np.zeros(2 * images + 1)
    one[[0, 1, 2]] = gain, max(0.0, 1 - 2 * gain - margin), gain + margin
    sums = np.fft.irfft(np.fft.rfft(one) ** images, len(one))
    return float(np.clip(sums[images + lost - won :].sum(), 0, 1))


def detectable_difference(changed: int, images: int) -> float:
    """The margin within which a model that is as good as the other would be shown to be, in four of five cases.

    Args:
        changed: images that one model alone predicts correctly.
        images: all of them, at least one.

    Returns:
        A difference of accuracies: 0.01 is one point.
    """
    return min(1.0, (Z95 + Z80) * sqrt(max(changed, 1) / images / images))


def images_needed(changed: int, images: int, margin: float) -> int:
    """How many such images would show it within `margin`, as `detectable_difference` means it."""
    return int(np.ceil(max(changed, 1) / images * ((Z95 + Z80) / margin) ** 2))
