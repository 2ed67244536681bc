"""Which images to look at first: those that are least like the old data."""

import numpy as np
import pandas as pd

from darkroom.diff.shifts import MEASURES
from darkroom.runtime.arrays import Float64s

# A deviation counts in units of at least this, so that in data where all images have the same size one pixel more is no
# hundred deviations; of ratios it is 1%.
LEAST_DEVIATION = 0.01


class Strangeness:
    """How far an image lies from the median of the old data, in robust deviations: the largest over what was measured.

    A robust deviation is 1.4826 times the median distance from the median (MAD), the standard deviation where values are
    normal; a few odd images among the old ones do not stretch it (Hampel 1974). Sizes and aspects are compared by ratio, and
    so is sharpness plus 1, as it can be 0.
    """

    def __init__(self, old: pd.DataFrame) -> None:
        """Args:
        old: `width`, `height`, `brightness`, `contrast`, `sharpness` of the data to compare with.
        """
        self._scales: list[tuple[float, float]] = []
        for measure in MEASURES:
            values = measure.scaled(old)
            values = values[~np.isnan(values)]
            median = float(np.median(values)) if len(values) else np.nan
            deviation = 1.4826 * float(np.median(np.abs(values - median))) if len(values) else np.nan
            self._scales.append((median, max(deviation, LEAST_DEVIATION)))

    def scores(self, images: pd.DataFrame) -> Float64s:
        """Float64 [N]; 0 where nothing was measured."""
        scores: Float64s = np.abs(self._distances(images)).max(axis=1)
        return scores

    def words(self, images: pd.DataFrame) -> list[str]:
        """For each image what makes it strange, as `contrast 0.02, 3.1 deviations below`; empty where nothing does."""
        distances = self._distances(images)
        worst = np.abs(distances).argmax(axis=1)
        told = []
        for row, index in enumerate(worst.tolist()):
            measure, distance = MEASURES[index], distances[row, index]
            value = f"{measure.name} {measure.of(images.iloc[[row]]).iloc[0]:.{measure.digits}f}"
            side = "above" if distance > 0 else "below"
            told.append(f"{value}, {abs(distance):.1f} deviations {side}" if distance else "")
        return told

    def _distances(self, images: pd.DataFrame) -> Float64s:
        """Signed, [N, measures]."""
        columns = [
            (measure.scaled(images) - median) / deviation
            for measure, (median, deviation) in zip(MEASURES, self._scales, strict=True)
        ]
        distances: Float64s = np.nan_to_num(np.stack(columns, axis=1))
        return distances
