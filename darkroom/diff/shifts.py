"""How far the data as a whole moved: class shares, and what was measured of every image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.runtime.arrays import Float64s
from darkroom.statistics.shift import Shift, class_distance, kolmogorov_smirnov

Scale = Callable[[Float64s], Float64s]

# A shift is worth a look when it is larger than this and beyond chance.
LARGE = 0.1
BINS = 24


@dataclass(frozen=True)
class Moved:
    """One property of images, before and after.

    The two sides share most of their images, and the test takes them for independent: it says "chance" too often, never too
    seldom. What was added is independent of what was there, and a few odd images among many show there.

    Attributes:
        name: of the property.
        whole: all images after against all before.
        added: the added images against all before; None where nothing was added.
        medians: before and after.
        edges: of the histograms' bins, BINS + 1; the outermost bins also hold what lies beyond.
        before, after: the share of images in each bin.
        digits: to show values with.
    """

    name: str
    whole: Shift
    added: Shift | None
    medians: tuple[float, float]
    edges: Float64s
    before: Float64s
    after: Float64s
    digits: int


@dataclass(frozen=True)
class Measure:
    """A property to compare.

    Attributes:
        name: of the property.
        of: how to get it from a table of images.
        digits: to show it with.
        scale: to a scale where equal steps mean equal changes; the logarithm of what is compared by ratio.
        plain: back from `scale`.
    """

    name: str
    of: Callable[[pd.DataFrame], pd.Series]
    digits: int
    scale: Scale = np.positive
    plain: Scale = np.positive

    def scaled(self, images: pd.DataFrame) -> Float64s:
        """Values on the scale to compare them on; NaN where nothing was measured."""
        return self.scale(self.of(images).to_numpy(dtype=np.float64, na_value=np.nan))


MEASURES = (
    Measure(
        "size, √(width × height) in px", lambda images: (images["width"] * images["height"]) ** 0.5, 0, np.log, np.exp
    ),
    Measure("width / height", lambda images: images["width"] / images["height"], 2, np.log, np.exp),
    Measure("brightness", lambda images: images["brightness"], 2),
    Measure("contrast", lambda images: images["contrast"], 2),
    # A picture of one colour has sharpness 0, which has no ratio to others: of the value and 1, by ratio.
    Measure("sharpness", lambda images: images["sharpness"], 0, np.log1p, np.expm1),
)


def class_shift(before: pd.Series, after: pd.Series, added: pd.Series) -> tuple[Shift, Shift | None]:
    """Class shares: total variation distance, and Pearson's chi-square test that both sides have the same shares.

    Args:
        before, after, added: labels, a row for each image.

    Returns:
        All images against all before; added images against all before, None without any.
    """
    return _class_distance(before, after), None if added.empty or before.empty else _class_distance(before, added)


def _class_distance(before: pd.Series, after: pd.Series) -> Shift:
    counts = pd.concat([before.value_counts(), after.value_counts()], axis=1).fillna(0).to_numpy(np.int64)
    return class_distance(counts[:, 0], counts[:, 1])


def measured_shifts(before: pd.DataFrame, after: pd.DataFrame, added: pd.DataFrame) -> list[Moved]:
    """What was measured on both sides, by the two-sample Kolmogorov-Smirnov test.

    Args:
        before, after, added: `width`, `height`, `brightness`, `contrast`, `sharpness`, a row for each image.
    """
    found = []
    for measure in MEASURES:
        old, new, came = (values[~np.isnan(values)] for values in map(measure.scaled, (before, after, added)))
        if not len(old) or not len(new):
            continue
        edges = _edges(np.concatenate([old, new]))
        found.append(
            Moved(
                measure.name,
                kolmogorov_smirnov(old, new),
                kolmogorov_smirnov(old, came) if len(came) else None,
                (float(np.median(measure.plain(old))), float(np.median(measure.plain(new)))),
                measure.plain(edges),
                _shares(old, edges),
                _shares(new, edges),
                measure.digits,
            )
        )
    return found


def _edges(values: Float64s) -> Float64s:
    """Equal bins over all but the outermost half percent on either side, which few images would stretch over most of them."""
    low, high = np.quantile(values, [0.005, 0.995])
    if low == high:
        low, high = low - 0.1, high + 0.1
    return np.linspace(low, high, BINS + 1)


def _shares(values: Float64s, edges: Float64s) -> Float64s:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
