"""The charts of a data set: histograms of what was measured of every image, and a scatter of sizes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from darkroom.checks.outcomes import significant
from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Mark, Points, Rule, Steps
from darkroom.runtime.arrays import Float64s

BINS = 32
# Sizes drawn, the most frequent first: more would only be drawn over each other, and weigh on the page.
SIZES = 400
HEIGHT = 236


def histogram(
    title: str,
    x_title: str,
    series: Mapping[str, Float64s],
    limits: tuple[float | None, float | None] = (None, None),
    ratio: bool = False,
) -> Chart:
    """Shares of images by value.

    Args:
        title: what is drawn.
        x_title: the value, with its unit.
        series: values by name, float64 [N], at least one in each; a second one is drawn as an outline over the first.
        limits: the least and the most that is allowed.
        ratio: whether values are compared by ratio.
    """
    values = np.concatenate(list(series.values()))
    low, high = float(values.min()), float(values.max())
    if ratio and low <= 0:
        # What is 0 has no place on such an axis: it is drawn at its lower end.
        low = float(values[values > 0].min(initial=max(high, 1)))
    if high <= low:
        low, high = (low / 1.1, low * 1.1) if ratio else (low - 0.5, low + 0.5)
    edges = np.geomspace(low, high, BINS + 1) if ratio else np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0] / len(each) for each in series.values()]
    names = list(series) if len(series) > 1 else [""]
    styles = ("cold clear", "accent outlined") if len(series) > 1 else ("cold",)
    marks: list[Mark] = [
        Steps(edges, share, style, name) for share, style, name in zip(shares, styles, names, strict=True)
    ]
    within = [limit for limit in limits if limit is not None and low <= limit <= high]
    marks += [Rule(limit, "accent dashed", "" if k else "limit") for k, limit in enumerate(within)]
    note = "; ".join(
        f"{name}{': ' if name else ''}{significant(float(each.min()))} to {significant(float(each.max()))}, "
        f"median {significant(float(np.median(each)))}"
        for name, each in zip(names, series.values(), strict=True)
    )
    up = round_axis("share of images", 0, float(max(share.max() for share in shares)), percent=True)
    return Chart(title, note, Axis(x_title, low, high, log=ratio), up, marks, HEIGHT)


def size_scatter(width: pd.Series, height: pd.Series) -> Chart:
    """Images by width and height, in pixels; the area of a dot grows with their number."""
    counted = pd.DataFrame({"width": width, "height": height}).value_counts().head(SIZES)
    wide, high = (counted.index.get_level_values(name).to_numpy(np.float64) for name in ("width", "height"))
    texts = [f"{w:.0f} × {h:.0f}: {number:,}" for w, h, number in zip(wide, high, counted, strict=True)]
    # The most frequent lie below the others, since theirs are the largest dots.
    dots = Points(wide, high, "cold clear", texts, radius=np.round(2 + 8 * np.sqrt(counted / counted.max()), 1))
    note = f"{wide.min():,.0f} to {wide.max():,.0f} wide, {high.min():,.0f} to {high.max():,.0f} high"
    return Chart(
        "Sizes",
        f"{note}; the larger a dot, the more images",
        _around("width in pixels", wide),
        _around("height in pixels", high),
        [dots],
        HEIGHT + 30,
    )


def _around(title: str, values: Float64s) -> Axis:
    """With room around the outermost dots."""
    return Axis(title, float(values.min() / 1.15), float(values.max() * 1.15), log=True)
