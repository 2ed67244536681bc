"""The kinds of images that the error analysis looks at: what is known of images beside their pixels, cut into intervals of a
number and values of a word, in all classes or in one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darkroom.runtime.arrays import Bools, Float64s, Int64s

# Numbers float64 [N] with NaN where unknown, dates datetime64[s] [N] with NaT, or words str [N] with "".
Column = Float64s | npt.NDArray[np.datetime64] | npt.NDArray[np.str_]

# Fractions of the images that an end of the scale is cut off at; and between which the middle is looked at.
ENDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
MIDDLES = (0.2, 0.4, 0.6, 0.8)

# Of a cut: `brightness below 0.213` is what a person can repeat.
CUT_DIGITS = 3


def slice_facts(rows: pa.Table, class_names: Sequence[str]) -> dict[str, Column]:
    """Facts of images by name; those that are the same for all images are left out.

    What the source says of an image (its split, its group, when it was taken, its folder) and what ingest measured.

    Args:
        rows: path and the columns of `darkroom.inference.inputs.FACTS`, N rows.
        class_names: folders with such a name are left out of an image's folder: they say nothing beside the label.

    Returns:
        N values each; see `Column`.
    """
    width, height = _numbers(rows, "width"), _numbers(rows, "height")
    names = frozenset(class_names)
    facts: dict[str, Column] = {
        "brightness": _numbers(rows, "brightness"),
        "contrast": _numbers(rows, "contrast"),
        "sharpness": _numbers(rows, "sharpness"),
        "shorter side in pixels": np.minimum(width, height),
        "width to height": width / height,
        "file size in bytes": _numbers(rows, "bytes"),
        "date": rows["timestamp"].to_numpy().astype("datetime64[s]"),
        "format": _words(rows, "format"),
        "mode": _words(rows, "mode"),
        "split of the source": _words(rows, "source_split"),
        "group": _words(rows, "group"),
        "folder": np.array([_folder(path, names) for path in rows["path"].to_pylist()], np.str_),
    }
    # np.unique counts all that is unknown as one value.
    return {name: values for name, values in facts.items() if len(np.unique(values)) > 1}


def _numbers(table: pa.Table, column: str) -> Float64s:
    return np.asarray(table[column].cast(pa.float64()).to_numpy(), np.float64)


def _words(table: pa.Table, column: str) -> Column:
    return np.array(table[column].fill_null("").to_pylist(), np.str_)


def _folder(path: str, class_names: frozenset[str]) -> str:
    return "/".join(part for part in PurePosixPath(path).parent.parts if part not in class_names)


@dataclass(frozen=True)
class Candidate:
    """A kind of images.

    Attributes:
        column: the fact that defines it.
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
    """The kinds of images that the facts define, each a real part of its population.

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
            kinds = (
                _values(column, values[population]) if values.dtype.kind == "U" else _cuts(column, values[population])
            )
            for words, inside in kinds.items():
                if 0 < inside.sum() < len(inside):
                    yield Candidate(column, words, label, population, inside)


def _values(column: str, values: Column) -> dict[str, Bools]:
    return {f"{column} {value}": values == value for value in np.unique(values)}


def _cuts(column: str, values: Column) -> dict[str, Bools]:
    """The ends and the middle of the scale. Those between the same rounded cuts are one and the same."""
    if not len(values):
        return {}
    ends = ((_cut(values, fraction), _cut(values, 1 - fraction)) for fraction in ENDS)
    ranges: dict[str, Bools] = {}
    for low, high in ends:
        ranges[f"{column} below {_text(low)}"] = np.less(values, low)
        ranges[f"{column} from {_text(high)}"] = np.greater_equal(values, high)
    middles = [_cut(values, fraction) for fraction in MIDDLES]
    for low, high in pairwise(middles):
        ranges[f"{column} from {_text(low)} to {_text(high)}"] = np.greater_equal(values, low) & np.less(values, high)
    return ranges


def _cut(values: Column, fraction: float) -> np.float64 | np.datetime64:
    """A quantile: one of the values, rounded to three digits, or to the day."""
    cut = np.sort(values)[min(int(fraction * len(values)), len(values) - 1)]
    if isinstance(cut, np.datetime64):
        day: np.datetime64 = cut.astype("datetime64[D]")
        return day
    return np.float64(f"{cut:.{CUT_DIGITS}g}")


def _text(cut: np.float64 | np.datetime64) -> str:
    if isinstance(cut, np.datetime64):
        return str(cut)
    return f"{cut:,.0f}" if abs(cut) >= 10**CUT_DIGITS else f"{cut:.{CUT_DIGITS}g}"
