"""The kinds of images that are looked at: intervals of a number, values of a word, in all classes or in one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]

# Numbers float64 [N] with NaN where unknown, dates datetime64[s] [N] with NaT, or words str [N] with "".
Column = npt.NDArray[np.float64] | npt.NDArray[np.datetime64] | npt.NDArray[np.str_]

# Shares of the images that an end of the scale is cut off at; and between which shares the middle is looked at.
ENDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
MIDDLES = (0.2, 0.4, 0.6, 0.8)

# Of a cut: `brightness below 0.213` is what a person can repeat.
CUT_DIGITS = 3


@dataclass(frozen=True)
class Candidate:
    """A kind of images.

    Attributes:
        column: the fact that tells it apart.
        words: for people; without the class.
        label: of the class where it is of one class alone, else None.
        population: int64, positions of the images that it is a part of: all, or those of the class; those whose fact is known.
        inside: bool, which of these it is.
    """

    column: str
    words: str
    label: int | None
    population: Int64s
    inside: Bools


def candidates(facts: Mapping[str, Column], labels: Int64s, within_classes: bool) -> Iterator[Candidate]:
    """The kinds of images that the facts tell apart, each a real part of its population.

    Args:
        facts: by name, N values each.
        labels: int64 [N].
        within_classes: kinds of one class, cut at the class's own quantiles; otherwise kinds of all images.
    """
    classes: Sequence[int | None] = np.unique(labels).tolist() if within_classes else [None]
    members = {label: np.arange(len(labels)) if label is None else np.flatnonzero(labels == label) for label in classes}
    for column, values in facts.items():
        known = values != "" if values.dtype.kind == "U" else ~np.isnan(values)
        for label, rows in members.items():
            population = rows[known[rows]]
            parts = (
                _words(column, values[population]) if values.dtype.kind == "U" else _cuts(column, values[population])
            )
            for words, inside in parts.items():
                if 0 < inside.sum() < len(inside):
                    yield Candidate(column, words, label, population, inside)


def _words(column: str, values: Column) -> dict[str, Bools]:
    return {f"{column} {value}": values == value for value in np.unique(values)}


def _cuts(column: str, values: Column) -> dict[str, Bools]:
    """The ends and the middle of the scale. Those between the same rounded cuts are one and the same."""
    if not len(values):
        return {}
    ends = ((_cut(values, share), _cut(values, 1 - share)) for share in ENDS)
    parts: dict[str, Bools] = {}
    for low, high in ends:
        parts[f"{column} below {_said(low)}"] = np.less(values, low)
        parts[f"{column} from {_said(high)}"] = np.greater_equal(values, high)
    middles = [_cut(values, share) for share in MIDDLES]
    for low, high in pairwise(middles):
        parts[f"{column} from {_said(low)} to {_said(high)}"] = np.greater_equal(values, low) & np.less(values, high)
    return parts


def _cut(values: Column, share: float) -> np.float64 | np.datetime64:
    """A quantile: one of the values, rounded to three digits, or to the day."""
    cut = np.sort(values)[min(int(share * len(values)), len(values) - 1)]
    if isinstance(cut, np.datetime64):
        day: np.datetime64 = cut.astype("datetime64[D]")
        return day
    return np.float64(f"{cut:.{CUT_DIGITS}g}")


def _said(cut: np.float64 | np.datetime64) -> str:
    if isinstance(cut, np.datetime64):
        return str(cut)
    return f"{cut:,.0f}" if abs(cut) >= 10**CUT_DIGITS else f"{cut:.{CUT_DIGITS}g}"
