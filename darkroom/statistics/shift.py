"""How far two sets of images lie apart in one property, and whether chance would do as much."""

from dataclasses import dataclass
from warnings import catch_warnings

import numpy as np

from darkroom.runtime.arrays import Float64s, Int64s

# A shift counts where chance would bring one as large less often than this.
SIGNIFICANCE = 0.001
# Values of a side up to which SciPy's p-value is exact.
MOST_EXACT = 10_000

# Distinct values in ascending order, float64 [K], and how many there are of each, int64 [K].
Counted = tuple[Float64s, Int64s]


@dataclass(frozen=True)
class Shift:
    """How far something moved, in [0, 1], and the p-value: how probable a move as large is by chance."""

    distance: float
    probability: float

    @property
    def significant_distance(self) -> float:
        """The distance where it is significant, 0 otherwise."""
        return self.distance if self.probability < SIGNIFICANCE else 0.0


def class_distance(before: Int64s, after: Int64s) -> Shift:
    """The total variation distance of the class balance, with Pearson's chi-square test of equal shares.

    Args:
        before, after: images of each class, class by class, int64 [K]; no shift where a side has none.
    """
    counts = np.stack([before, after])[:, (before > 0) | (after > 0)]
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.all() or counts.shape[1] < 2:
        return Shift(0.0, 1.0)
    # Here, since it takes half a second, and most runs have nothing to compare.
    from scipy.stats import chi2_contingency

    distance = np.abs(np.diff(counts / totals, axis=0)).sum() / 2
    return Shift(float(distance), float(chi2_contingency(counts, correction=False).pvalue))


def kolmogorov_smirnov(before: Float64s, after: Float64s) -> Shift:
    """The largest distance of two distribution functions, with the two-sample Kolmogorov-Smirnov test.

    Args:
        before, after: values, float64 [N] and [M]; no shift where a side is empty.

    Returns:
        The p-value is exact up to 10,000 values on each side where SciPy can count so far, and asymptotic otherwise.
    """
    if not len(before) or not len(after):
        return Shift(0.0, 1.0)
    from scipy.stats import ks_2samp

    with catch_warnings(action="ignore", category=RuntimeWarning):
        found = ks_2samp(before, after)
    return Shift(float(found.statistic), float(found.pvalue))


def counted_smirnov(before: Counted, after: Counted) -> Shift:
    """`kolmogorov_smirnov` of values that are counted: the same distance and p-value, without a value for each image."""
    sizes = [int(counts.sum()) for _, counts in (before, after)]
    if max(sizes) <= MOST_EXACT:
        one, other = (np.repeat(values, counts) for values, counts in (before, after))
        return kolmogorov_smirnov(one, other)
    if not min(sizes):
        return Shift(0.0, 1.0)
    from scipy.stats import kstwo

    at = np.concatenate([before[0], after[0]])
    one, other = (
        np.concatenate([[0], np.cumsum(counts)])[values.searchsorted(at, "right")] / size
        for (values, counts), size in zip((before, after), sizes, strict=True)
    )
    distance = float(max((one - other).max(), (other - one).max(), 0.0))
    many, few = float(max(sizes)), float(min(sizes))
    return Shift(distance, float(np.clip(kstwo.sf(distance, np.round(many * few / (many + few))), 0, 1)))
