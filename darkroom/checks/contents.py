"""What the page of a data set shows of the images: charts, the outliers of each measure, samples of each class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from darkroom.checks.distribution import Distribution
from darkroom.checks.facts import count_modes, rarer_mode
from darkroom.checks.range_summary import end_name
from darkroom.checks.sizes import Sizes
from darkroom.checks.suite import significant
from darkroom.checks.summaries import Summaries
from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Mark, Points, Rule, Steps
from darkroom.runtime.arrays import Float64s

# With more sizes than this they are counted in bands.
LISTED_SIZES = 10
# Charts: bars of a histogram, and sizes in the scatter, the most frequent first, since more would only cover each other.
BINS, SIZES, HEIGHT = 32, 400, 236
# The least and the most that is allowed of a column.
Allowed = tuple[float | None, float | None]


def histogram(
    title: str, x_title: str, series: Mapping[str, Distribution], allowed: Allowed = (None, None), ratio: bool = False
) -> Chart:
    """Shares of images by value.

    Args:
        title: what is drawn.
        x_title: the value, with its unit.
        series: values by name; a second one is drawn as an outline over the first.
        allowed: drawn as limits.
        ratio: whether values are compared by ratio.
    """
    low, high = min(each.low for each in series.values()), max(each.high for each in series.values())
    if ratio and low <= 0:
        # 0 has no place on such an axis: it is drawn at its lower end.
        low = min(each.least_above_zero(max(high, 1)) for each in series.values())
    if high <= low:
        low, high = (low / 1.1, low * 1.1) if ratio else (low - 0.5, low + 0.5)
    edges = np.geomspace(low, high, BINS + 1) if ratio else np.linspace(low, high, BINS + 1)
    shares = [each.bars(edges) / each.images for each in series.values()]
    names = list(series) if len(series) > 1 else [""]
    styles = ("cold clear", "accent outlined") if len(series) > 1 else ("cold",)
    marks: list[Mark] = [
        Steps(edges, share, style, name) for share, style, name in zip(shares, styles, names, strict=True)
    ]
    within = [limit for limit in allowed if limit is not None and low <= limit <= high]
    marks += [Rule(limit, "accent dashed", "" if k else "limit") for k, limit in enumerate(within)]
    note = "; ".join(
        f"{name}{': ' if name else ''}{significant(each.low)} to {significant(each.high)}, "
        f"median {significant(each.median)}"
        for name, each in zip(names, series.values(), strict=True)
    )
    up = round_axis("share of images", 0, float(max(share.max() for share in shares)), percent=True)
    return Chart(title, note, Axis(x_title, low, high, log=ratio), up, marks, HEIGHT)


def size_scatter(sizes: Sizes) -> Chart:
    """Images by width and height, in pixels; the area of a dot grows with their number."""
    # The most frequent, among equals those that come first in the manifest.
    drawn = np.lexsort((sizes.first, -sizes.images))[:SIZES]
    wide, high, counted = sizes.width[drawn].astype(float), sizes.height[drawn].astype(float), sizes.images[drawn]
    texts = [f"{w:.0f} × {h:.0f}: {number:,}" for w, h, number in zip(wide, high, counted.tolist(), strict=True)]
    # The most frequent are drawn below the others, since theirs are the largest dots.
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


def size_counts(sizes: Sizes) -> list[tuple[str, int]]:
    """Images by size where there are few sizes, by bands of the shorter side where there are many."""
    if len(sizes.images) <= LISTED_SIZES:
        rows = zip(sizes.width.tolist(), sizes.height.tolist(), sizes.images.tolist(), strict=True)
        return [(f"{width:,} × {height:,} px", number) for width, height, number in rows]
    shorter = sizes.distribution(np.minimum)
    edges = np.unique(np.linspace(int(shorter.low), int(shorter.high) + 1, LISTED_SIZES + 1).astype(int))
    bands = zip(edges[:-1], edges[1:] - 1, shorter.bars(edges.astype(float)), strict=True)
    return [(f"shorter side {low:,} to {high:,} px", int(number)) for low, high, number in bands]


def _around(title: str, values: Float64s) -> Axis:
    """With room around the outermost dots."""
    return Axis(title, float(values.min() / 1.15), float(values.max() * 1.15), log=True)


@dataclass(frozen=True)
class Outliers:
    """The images at one end of one measure.

    Attributes:
        title: which images these are.
        limit: what is allowed, as text.
        rows: of the manifest, the most extreme first.
        values: theirs, as text.
        beyond: whether each is beyond the limit.
    """

    title: str
    limit: str
    rows: list[int]
    values: list[str]
    beyond: list[bool]


def find_outliers(summaries: Summaries, medians: Mapping[str, float], allowed: Mapping[str, Allowed]) -> list[Outliers]:
    """Both ends of each measure; none of a measure that is the same for most images.

    Args:
        summaries: of the manifest.
        medians: by column.
        allowed: by column.
    """

    def end(title: str, column: str, is_minimum: bool, text: Callable[[float], str] = _number) -> Outliers:
        limit = allowed[column][0 if is_minimum else 1]
        assert limit is not None
        worst = summaries.extremes(end_name(column, is_minimum))
        values = np.array([one.value for one in worst], np.float64)
        beyond = values < limit if is_minimum else values > limit
        # What half of the images measure is no extreme, unless a limit excludes it.
        extreme = beyond | (values != medians[column])
        return Outliers(
            title,
            f"allowed: at {'least' if is_minimum else 'most'} {text(limit)}",
            [one.row for one, shown in zip(worst, extreme, strict=True) if shown],
            [text(value) for value in values[extreme]],
            beyond[extreme].tolist(),
        )

    found = [
        end("Darkest", "brightness", True),
        end("Brightest", "brightness", False),
        end("Flattest", "contrast", True),
        end("Most blurred", "sharpness", True),
        end("Most stretched", "aspect_ratio", False, lambda value: f"{value:.3g} : 1"),
        end("Smallest", "shorter_side", True, lambda value: f"{value:,.0f} px"),
        end("Largest", "longer_side", False, lambda value: f"{value:,.0f} px"),
        _of_the_rarer_mode(summaries, allowed["mode_mix"][1] or 0.0),
    ]
    return [outliers for outliers in found if outliers.rows]


def _of_the_rarer_mode(summaries: Summaries, most: float) -> Outliers:
    modes = count_modes(summaries)
    rarer = rarer_mode(modes)
    few = summaries.extremes(rarer)
    title = "Grey among colour images" if rarer == "grey" else "In colour among grey images"
    broken = modes[rarer] > most * summaries.images
    limit = f"{modes[rarer]:,} of {summaries.images:,}; allowed: at most {most * 100:.4g}%"
    return Outliers(title, limit, [one.row for one in few], [f"mode {one.value}" for one in few], [broken] * len(few))


def _number(value: float) -> str:
    return significant(value, 3)
