"""What the page of a data set shows of the images: charts, the outliers of each measure, samples of each class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from darkroom.checks.facts import rarer_mode
from darkroom.checks.suite import significant
from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Mark, Points, Rule, Steps
from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.images.decode import decode
from darkroom.images.shards import read_shards
from darkroom.model.depth import load_depth
from darkroom.runtime.arrays import Float64s

# With more sizes than this they are counted in bands.
LISTED_SIZES = 10
# Charts: bars of a histogram, and sizes in the scatter, the most frequent first, since more would only cover each other.
BINS, SIZES, HEIGHT = 32, 400, 236
# Outliers of each measure: enough to judge a limit by.
OUTLIERS = 6
# Samples in all, of one class, and pixels a side: each costs a decoding and some kilobytes of page.
SAMPLES, SAMPLES_OF_A_CLASS, SAMPLE_SIDE = 64, 8, 128

# The least and the most that is allowed of a column.
Allowed = tuple[float | None, float | None]


def histogram(
    title: str, x_title: str, series: Mapping[str, Float64s], allowed: Allowed = (None, None), ratio: bool = False
) -> Chart:
    """Shares of images by value.

    Args:
        title: what is drawn.
        x_title: the value, with its unit.
        series: values by name, float64 [N], at least one in each; a second one is drawn as an outline over the first.
        allowed: drawn as limits.
        ratio: whether values are compared by ratio.
    """
    values = np.concatenate(list(series.values()))
    low, high = float(values.min()), float(values.max())
    if ratio and low <= 0:
        # 0 has no place on such an axis: it is drawn at its lower end.
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
    within = [limit for limit in allowed if limit is not None and low <= limit <= high]
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


def size_counts(images: pd.DataFrame) -> list[tuple[str, int]]:
    """Images by size where there are few sizes, by bands of the shorter side where there are many."""
    exact = images.groupby(["width", "height"], as_index=False).size()
    if len(exact) <= LISTED_SIZES:
        rows = zip(exact["width"], exact["height"], exact["size"], strict=True)
        return [(f"{width:,} × {height:,} px", number) for width, height, number in rows]
    sides = images["shorter_side"].to_numpy()
    edges = np.unique(np.linspace(sides.min(), sides.max() + 1, LISTED_SIZES + 1).astype(int))
    numbers, _ = np.histogram(sides, edges)
    bands = zip(edges[:-1], edges[1:] - 1, numbers, strict=True)
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


def find_outliers(images: pd.DataFrame, allowed: Mapping[str, Allowed]) -> list[Outliers]:
    """Both ends of each measure; none of a measure that is the same for most images.

    Args:
        images: the table `images` of the checks.
        allowed: by column.
    """

    def end(title: str, column: str, is_minimum: bool, text: Callable[[float], str] = _number) -> Outliers:
        limit = allowed[column][0 if is_minimum else 1]
        assert limit is not None
        values = images[column].to_numpy(np.float64)
        order = np.argsort(values if is_minimum else -values, kind="stable")[:OUTLIERS]
        worst = values[order]
        beyond = worst < limit if is_minimum else worst > limit
        # What half of the images measure is no extreme, unless a limit excludes it.
        extreme = beyond | (worst != np.median(values))
        return Outliers(
            title,
            f"allowed: at {'least' if is_minimum else 'most'} {text(limit)}",
            order[extreme].tolist(),
            [text(value) for value in worst[extreme]],
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
        _of_the_rarer_mode(images, allowed["mode_mix"][1] or 0.0),
    ]
    return [outliers for outliers in found if outliers.rows]


def _of_the_rarer_mode(images: pd.DataFrame, most: float) -> Outliers:
    rarer = rarer_mode(images)
    rows = np.flatnonzero(images["grey"] == (rarer == "grey"))
    modes: pd.Series = images["mode"].iloc[rows[:OUTLIERS]]
    title = "Grey among colour images" if rarer == "grey" else "In colour among grey images"
    broken = len(rows) > most * len(images)
    limit = f"{len(rows):,} of {len(images):,}; allowed: at most {most * 100:.4g}%"
    return Outliers(title, limit, rows[:OUTLIERS].tolist(), [f"mode {mode}" for mode in modes], [broken] * len(modes))


def _number(value: float) -> str:
    return significant(value, 3)


@dataclass(frozen=True)
class Sample:
    """A picture for a page: its `src`, whether its pixels are shown as squares, where it comes from."""

    uri: str
    crisp: bool
    path: str
    label: str


def pick_samples(images: pd.DataFrame, classes: list[str]) -> list[int]:
    """Rows that show what is in each class: evenly spaced in the order of the manifest, the same on every run.

    Args:
        images: with the column `label`.
        classes: their names; where they are many each has fewer samples, and past `SAMPLES` classes the rest have none.
    """
    each = max(1, min(SAMPLES_OF_A_CLASS, SAMPLES // len(classes)))
    rows_of: dict[Any, Any] = images.groupby("label").indices
    picked: list[int] = []
    for label in classes[:SAMPLES]:
        rows = rows_of.get(label, np.empty(0, dtype=np.int64))
        picked += rows[np.unique(np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(int))].tolist()
    return picked


def read_samples(images: pd.DataFrame, rows: list[int], shards: Path) -> dict[int, Sample]:
    """Decode the images in these rows, each once.

    Args:
        images: with the columns `path`, `label`, `shard`, `offset`, `bytes`.
        rows: positions, in any order, with or without repetition.
        shards: the folder of the original bytes.
    """
    order = sorted(set(rows))
    chosen = images.iloc[order]
    places = zip(chosen["shard"], chosen["offset"], chosen["bytes"], strict=True)
    samples, depth = {}, load_depth(shards.parent)
    for row, path, label, data in zip(order, chosen["path"], chosen["label"], read_shards(shards, places), strict=True):
        # Pillow opens what any of the decoders opens.
        pixels = decode(data, "pillow", least_side=SAMPLE_SIDE, depth=depth).pixels
        share = SAMPLE_SIDE / max(pixels.shape[:2])
        if share < 1:
            width, height = (max(1, round(side * share)) for side in (pixels.shape[1], pixels.shape[0]))
            pixels = np.atleast_3d(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
        samples[row] = Sample(image_data_uri(pixels), is_small(pixels), path, label)
    return samples
