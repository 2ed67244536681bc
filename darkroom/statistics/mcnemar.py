"""McNemar's test of two models on the same images. It decides in training, too, so it has a module of its own."""

import numpy as np
from scipy.special import bdtr

from darkroom.runtime.arrays import Float64s, Int64s


def mcnemar(only_before: Int64s, only_after: Int64s) -> Float64s:
    """The p-value of a split of the images that changed sides, were both models equally good.

    The mid-p form of McNemar's exact test (Fagerland, Lydersen and Laake 2013: "The McNemar test for binary matched-pairs
    data: mid-p and asymptotic are better than exact conditional"); the exact one is too cautious with few images.

    Args:
        only_before, only_after: int64 [M], images that only the one model, or only the other, predicts correctly.

    Returns:
        float64 [M], two-sided; 1 where no image changed sides.
    """
    fewer, both = np.minimum(only_before, only_after), only_before + only_after
    # At most so many, and fewer: twice the distribution function without the point itself.
    below = np.where(fewer > 0, bdtr(np.maximum(fewer - 1, 0), both, 0.5), 0.0)
    p: Float64s = bdtr(fewer, both, 0.5) + below
    return np.minimum(p, 1.0)
