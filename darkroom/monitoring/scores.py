"""The scores of an image that the monitor ranks: of its answer, of its file, of its features."""

from dataclasses import dataclass

import numpy as np

from darkroom.bundle.reference_rows import ReferenceRows, in_steps
from darkroom.runtime.arrays import Float32s, Float64s, Int64s

# What each score is, for the page. Those "for its class" are measured from the mean of images with the same predicted class,
# so that another mix of classes does not move them.
SCORES = (
    "confidence",
    "entropy",
    "size",
    "aspect",
    "bytes a pixel",
    "brightness",
    "brightness for its class",
    "contrast for its class",
    "sharpness for its class",
    "fine detail for its class",
    "projection 1",
    "projection 2",
    "projection 3",
)
# Those that tell a worse picture from other things.
BRIGHTNESS, CONTRAST, SHARPNESS, DETAIL = 6, 7, 8, 9
CONFIDENCE, ENTROPY = 0, 1
# A class of few images borrows so many from all classes.
PRIOR = 5.0
TINY = 1e-4


@dataclass(frozen=True)
class Rows:
    """Answers as the log has them.

    Attributes:
        probabilities: float32 [N, K].
        properties: float32 [N, 7]; NaN where they were not measured.
        projections: float32 [N, 3]; NaN where the log has no features.
    """

    probabilities: Float32s
    properties: Float32s
    projections: Float32s

    @property
    def predicted(self) -> Int64s:
        """The most probable class, int64 [N]."""
        return np.asarray(in_steps(self.probabilities).argmax(axis=1), np.int64)


class ScoreRule:
    """From rows to scores, the same for reference and live images.

    Args:
        reference: of the bundle; means of classes and one deviation a score come from it.
    """

    def __init__(self, reference: ReferenceRows) -> None:
        self.rows = Rows(reference.probabilities, reference.properties, reference.projections)
        self._classes = reference.probabilities.shape[1]
        self._values = _properties(reference.properties)
        self._predicted = self.rows.predicted
        self._sums = np.zeros((self._classes, 4))
        np.add.at(self._sums, self._predicted, self._values)
        self._counts = np.bincount(self._predicted, minlength=self._classes).astype(np.float64)

    def reference(self) -> Float64s:
        """The scores of the reference itself; an image has no part in the mean that it is measured from.

        With 8 images a class its own part would draw each mean to it, and live images would seem farther out.
        """
        values, predicted = self._values, self._predicted
        counts = (self._counts[predicted] - 1)[:, None]
        means = self._means(self._sums[predicted] - values, counts, self._sums.sum(axis=0) - values, len(values) - 1)
        return _scores(self.rows, values - means)

    def live(self, rows: Rows) -> Float64s:
        """The scores float64 [N, S] of live images, on a grid of half precision; NaN where a value is missing."""
        values, predicted = _properties(rows.properties), rows.predicted
        counts = self._counts[predicted][:, None]
        means = self._means(self._sums[predicted], counts, self._sums.sum(axis=0), len(self._values))
        return _scores(rows, values - means)

    @staticmethod
    def _means(sums: Float64s, counts: Float64s, total: Float64s, images: int) -> Float64s:
        """Means of classes [N, 4], drawn to the mean of all where there are few."""
        return np.asarray((sums + PRIOR * total / max(images, 1)) / (counts + PRIOR), np.float64)


def _properties(properties: Float32s) -> Float64s:
    """Logarithms of brightness, contrast and sharpness, and of fine detail: sharpness at equal contrast; float64 [N, 4].

    Light multiplies values and adds to logarithms. Sharpness is a variance and grows with the square of contrast.
    """
    brightness, contrast, sharpness = properties[:, 4:].astype(np.float64).T
    logs = np.log(brightness + 0.01), np.log(contrast + 0.01), np.log(sharpness + 1)
    return np.stack([*logs, logs[2] - 2 * np.log(255 * contrast + 1)], axis=1)


def _scores(rows: Rows, for_class: Float64s) -> Float64s:
    shares = in_steps(rows.probabilities).astype(np.float64)
    width, height, aspect, size = rows.properties[:, :4].astype(np.float64).T
    columns = [
        -np.log1p(TINY - shares.max(axis=1)),
        -(shares * np.log(shares + 1e-9)).sum(axis=1),
        np.log(width * height),
        np.log(aspect),
        np.log(size / (width * height)),
        np.log(rows.properties[:, 4].astype(np.float64) + 0.01),
    ]
    found = np.concatenate([np.stack(columns, axis=1), for_class, rows.projections.astype(np.float64)], axis=1)
    # Half precision is what the state can keep of the last images; ranks are of the same numbers.
    with np.errstate(over="ignore"):
        half = found.astype(np.float16).astype(np.float64)
    return np.nan_to_num(half, nan=np.nan, posinf=6e4, neginf=-6e4)
