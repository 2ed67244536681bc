"""Tests by betting: evidence that may be looked at after every label, and stays valid whenever one stops."""

from math import log

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float64s, Int64s

# Before any image the models are taken to differ on one in twenty, as if 200 images had shown it.
FIRST_RATE, FIRST_IMAGES = 0.05, 200
# Of the stake that lets wealth grow fastest. A little less ends in more streams: of 10,000 images, on 5% of which two equal
# models differ, 97.5% end with 0.8, and 95.7% with 1 (2,000 simulated streams).
FRACTION = 0.8
MOST_STAKE = 0.9


def log_wealth(agreed: Int64s, outcomes: Int64s, target: float, limit: float) -> Float64s:
    """How much a gambler has won who bets that the second model is better than `limit` less accuracy than the first.

    Images come in random order. One on which both models predict the same class needs no label: its outcome is 0. One on which
    they differ has 1 where only the second is correct, -1 where only the first is, 0 where neither is. Each image multiplies
    the gambler's wealth by 1 + stake · (outcome + limit), where the stake is chosen before the image is looked at. If the mean
    outcome is at most -limit, the mean factor is at most 1, and wealth that begins at 1 ever reaches 1/α with a probability of
    at most α (Ville's inequality; Waudby-Smith and Ramdas 2024: "Estimating means of bounded random variables by betting").
    The stake is Kelly's for an outcome of mean zero, with the variance of the images before.

    Args:
        agreed: int64 [R, D + 1], of each of R streams the images with equal predictions before each label, and after the last.
        outcomes: int64 [R, D].
        target: the difference that is bet on; it sets the stake.
        limit: the loss to be excluded; 0 tests whether the second is better at all.

    Returns:
        float64 [R, D + 1]: the highest logarithm of the wealth so far, with 0, 1, … D labels; it never falls.
    """
    streams, labels = outcomes.shape
    wealth, highest = np.zeros(streams), np.zeros((streams, labels + 1))
    squares, images = np.full(streams, FIRST_RATE * FIRST_IMAGES), np.full(streams, float(FIRST_IMAGES))
    best = np.zeros(streams)
    for label in range(labels + 1):
        stake = np.minimum(MOST_STAKE, FRACTION * target / (squares / images + target**2))
        wealth += agreed[:, label] * np.log1p(stake * limit)
        best = np.maximum(best, wealth)
        highest[:, label] = best
        if label < labels:
            outcome = outcomes[:, label]
            wealth += np.log1p(stake * (outcome + limit))
            best = np.maximum(best, wealth)
            squares, images = squares + outcome**2, images + agreed[:, label] + 1
    return highest


def labels_until(highest: Float64s, alpha: float) -> npt.NDArray[np.int64]:
    """After how many labels the evidence is enough, int64 [R]; -1 where it is not.

    Args:
        highest: as `log_wealth` gives it.
        alpha: the probability of a wrong end.
    """
    enough = highest >= log(1 / alpha)
    return np.where(enough.any(axis=1), enough.argmax(axis=1), -1)


def labels_needed(rate: float, target: float, alpha: float) -> int:
    """About how many labels end a stream of two equal models: where the mean growth of the wealth's logarithm reaches 1/α.

    Args:
        rate: the fraction of the images on which the models differ, above 0.
        target: the loss to be excluded.
        alpha: as for `labels_until`.
    """
    growth = target**2 / (2 * rate) * FRACTION * (2 - FRACTION)
    return int(np.ceil(rate * log(1 / alpha) / growth))
