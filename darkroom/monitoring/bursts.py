"""How many images in a row belong together, from their scores alone: bursts of one subject, frames of one film, one
client's folder.

Every test of single images takes them for independent. On bursts of 11 of a class such tests alarm on 53 to 100% of
clean windows, so that only one image of a burst may be tested.
"""

import numpy as np

from darkroom.runtime.arrays import Float64s, Int64s

# A burst is looked for up to this many images.
LONGEST = 128
# Standard errors of a correlation below which there is none; some four of the scores say something of their own.
DEVIATIONS, INDEPENDENT_SCORES = 3.0, 4
# One image more in so many: lengths differ from burst to burst.
MARGIN = 0.3


def burst_length(scores: Float64s, predicted: Int64s) -> int:
    """The distance at which images are independent, from the correlation of ranks at each distance.

    A shift in the middle of the images correlates near and far ones alike, and counts for nothing: only what near
    images have in common beyond far ones does.

    Args:
        scores: float64 [N, S] of images in the order in which they came; NaN where a value is missing.
        predicted: int64 [N].

    Returns:
        1 where no image depends on the one before.
    """
    images = len(scores)
    known = scores[:, ~np.isnan(scores).any(axis=0)]
    lags = min(LONGEST, images // 2)
    correlations = [_correlations(_ranks(column), lags) for column in known.T if np.ptp(column) > 0]
    if len(np.unique(predicted)) > 1:
        correlations.append(_class_correlations(predicted, lags))
    if not correlations or lags < 2:
        return 1
    mean = np.mean(correlations, axis=0)
    excess = mean - mean[lags // 2 :].mean()
    limit = DEVIATIONS / np.sqrt(images * min(INDEPENDENT_SCORES, len(correlations)))
    # At distance k = 1, 2, …: the first at which nothing is left.
    below = np.flatnonzero(excess <= limit)
    length = int(below[0]) + 1 if len(below) else lags
    return length if length == 1 else int(np.ceil(length * (1 + MARGIN)))


def _ranks(column: Float64s) -> Float64s:
    """Mean ranks, centred."""
    _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return np.asarray(ranks - ranks.mean(), np.float64)


def _correlations(centred: Float64s, lags: int) -> Float64s:
    """At distances 1 to `lags`, by a Fourier transform that is padded against wrapping round."""
    images = len(centred)
    spectrum = np.fft.rfft(centred, 2 * images)
    covariances = np.fft.irfft(spectrum * spectrum.conj())[1 : lags + 1] / (images - np.arange(1, lags + 1))
    return np.asarray(covariances / max(float((centred**2).mean()), 1e-12), np.float64)


def _class_correlations(predicted: Int64s, lags: int) -> Float64s:
    """How much more often two images at a distance have one class than by chance."""
    shares = np.bincount(predicted) / len(predicted)
    equal = float((shares**2).sum())
    same = np.array([(predicted[lag:] == predicted[:-lag]).mean() for lag in range(1, lags + 1)])
    return np.asarray((same - equal) / max(1 - equal, 1e-12), np.float64)
