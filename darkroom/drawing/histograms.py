"""Histograms and a scatter of sizes as inline SVG: coloured by the page's own variables, so they follow its light and dark."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from darkroom.checks.outcomes import significant
from darkroom.drawing.linechart import ticks
from darkroom.drawing.scale import Scale

Floats = npt.NDArray[np.float64]

# In units of the drawing, which the page scales: small enough that 11-unit lettering stays legible on a phone.
WIDTH, HEIGHT = 420, 210
LEFT, RIGHT, TOP, BOTTOM = 50, 404, 12, 168
BINS = 32
# Sizes drawn, the most frequent first: more would only be drawn over each other, and weigh on the page.
SIZES = 400


@dataclass(frozen=True)
class Plot:
    """Ready to be drawn by the macros of `histogram.html`; ticks are (place, text).

    Attributes:
        title: what is drawn.
        x_title: what the horizontal axis counts.
        x_ticks, y_ticks: where to letter the axes.
        shapes: the `d` of an SVG path for each series, or (x, y, radius) for each dot.
        limits: where the least and the most that is allowed lie, as far as they lie within.
        note: the drawing in words.
    """

    title: str
    x_title: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    shapes: list[str] | list[tuple[float, float, float]]
    limits: list[float]
    note: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def histogram(
    title: str,
    x_title: str,
    series: list[Floats],
    limits: tuple[float | None, float | None] = (None, None),
    ratio: bool = False,
) -> Plot:
    """Shares of images by value.

    Args:
        title: what is drawn.
        x_title: the value, with its unit.
        series: of values, float64 [N], at least one in each; two are drawn over each other.
        limits: the least and the most that is allowed.
        ratio: whether values are compared by ratio; they are above 0 then.
    """
    values = np.concatenate(series)
    low, high = float(values.min()), float(values.max())
    if ratio and low <= 0:
        # What is 0 has no place on such a scale: it is drawn at its lower end.
        low = float(values[values > 0].min(initial=max(high, 1)))
    if high <= low:
        low, high = (low / 1.1, low * 1.1) if ratio else (low - 0.5, low + 0.5)
    edges = np.geomspace(low, high, BINS + 1) if ratio else np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / len(part) for part in series]
    y_ticks = ticks(0, max(share.max() for share in shares), 4)
    across, up = Scale(low, high, LEFT, RIGHT, ratio), Scale(0, y_ticks[-1], BOTTOM, TOP, False)
    places = across.place(edges)
    paths = []
    for share in shares:
        steps = (f"V{top}H{right}" for top, right in zip(up.place(share), places[1:], strict=True))
        paths.append(f"M{places[0]} {BOTTOM}{''.join(steps)}V{BOTTOM}")
    return Plot(
        title,
        x_title,
        across.ticks(7),
        [(float(up.place(tick)), f"{tick * 100:.4g}%") for tick in y_ticks],
        paths,
        [float(across.place(limit)) for limit in limits if limit is not None and low <= limit <= high],
        "; then ".join(
            f"{significant(part.min())} to {significant(part.max())}, median {significant(float(np.median(part)))}"
            for part in series
        ),
    )


def size_scatter(width: pd.Series, height: pd.Series) -> Plot:
    """Where images lie by width and height, in pixels; the area of a dot grows with their number."""
    counted = pd.DataFrame({"width": width, "height": height}).value_counts().head(SIZES)
    wide, high = (counted.index.get_level_values(name).to_numpy(np.float64) for name in ("width", "height"))
    across, up = (Scale(*_ends(values), *room, True) for values, room in ((wide, (LEFT, RIGHT)), (high, (BOTTOM, TOP))))
    radii = np.round(2 + 8 * np.sqrt(counted.to_numpy() / counted.max()), 1)
    dots = zip(across.place(wide).tolist(), up.place(high).tolist(), radii.tolist(), strict=True)
    return Plot(
        "Sizes",
        "width in pixels; height upwards",
        across.ticks(7),
        up.ticks(6),
        list(dots),
        [],
        f"{wide.min():,.0f} to {wide.max():,.0f} wide, {high.min():,.0f} to {high.max():,.0f} high",
    )


def _ends(values: Floats) -> tuple[float, float]:
    """With room around the outermost dots."""
    return float(values.min() / 1.15), float(values.max() * 1.15)
