"""How far the expected calibration error of a sample may lie from that of its source."""

import numpy as np

from darkroom.statistics.intervals import RESAMPLES
from darkroom.statistics.metrics import Float64s, Int64s


def calibration_error_interval(gaps: Float64s, index: Int64s, bins: int, confidence: float) -> tuple[float, float]:
    """The interval of the expected calibration error, which is a sum of sizes of gaps, and so grows with their noise.

    The gap of each bin, over all images, has a nearly normal noise whose deviation is known; 2,000 draws of the noise of
    all bins stand for other samples (the parametric bootstrap: Efron and Tibshirani 1993, chapter 6).

    - The lower end is the value less what noise alone would bring a calibrated model to. Since the size of a sum is at
      most the sum of the sizes, that is never too high.
    - The upper end is the bootstrap's, moved down by twice the bias that it estimates, as in `bootstrap_macro`.

    In simulations with errors of 0 to 0.1 and 300 to 3,000 images, 95% intervals held the true error in 94% to 100%; the
    plain percentiles in none at all where the true error was 0.

    Args:
        gaps: float64 [N], confidence minus whether the answer was right.
        index: int64 [N], the bin of each image.
        bins: how many there are.
        confidence: 0.95 for a 95% interval.

    Returns:
        The lower and the upper end, within 0 and 1.
    """
    images = len(gaps)
    gap = np.bincount(index, gaps, bins) / images
    variance = (np.bincount(index, gaps**2, bins) / images - gap**2) / images
    noise = np.random.default_rng(0).standard_normal((RESAMPLES, bins)) * np.sqrt(np.maximum(variance, 0))
    value, drawn, tail = np.abs(gap).sum(), np.abs(gap + noise).sum(axis=1), 0.5 + confidence / 2
    low = value - np.quantile(np.abs(noise).sum(axis=1), tail)
    high = np.quantile(drawn, tail) - 2 * (drawn.mean() - value)
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))
