"""Pictures of the evaluation page that are not single test images: means, suspects, damaged ones, and those of weak slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darkroom.drawing.pictures import heatmap_data_uri, image_data_uri, is_small
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.examples import ordered
from darkroom.evaluation.frames import CELL_SIDE, GALLERY_SIDE, Frame, Frames, Heat
from darkroom.evaluation.robustness import RobustnessCurve
from darkroom.evaluation.slices import Slice
from darkroom.evaluation.test_split import HeldOut
from darkroom.images.pack import Packed
from darkroom.inference.corruptions import CORRUPTIONS
from darkroom.inference.mean_maps import mean_maps

# Slices whose mistakes are shown, and how many of each.
PICTURED_SLICES, OF_A_SLICE = 6, 8


@dataclass(frozen=True)
class MeanMap:
    """The mean heat map of a class over the mean of its images."""

    name: str
    uri: str
    images: int


def mean_heat(
    held_out: HeldOut, typical: Mapping[int, Sequence[int]], heat: Heat, names: Sequence[str]
) -> list[MeanMap]:
    """A picture for each class, in the order of `typical`, which has at least one image of each."""
    shown = []
    for k, rows in typical.items():
        pixels = np.stack([held_out.images[row] for row in rows]).mean(axis=0)
        maps = np.stack([heat[row] for row in rows])
        mean = mean_maps(maps, np.zeros(len(rows), dtype=np.int64), 1)[0]
        shown.append(MeanMap(names[k], heatmap_data_uri(np.rint(pixels).astype(np.uint8), mean), len(rows)))
    return shown


@dataclass(frozen=True)
class SuspectFrame:
    """An image whose label is probably wrong; the fields are those of `label_errors.SUSPECTS`, and the picture."""

    uri: str
    crisp: bool
    path: str
    split: str
    label: str
    suggested: str
    score: float


def suspect_frames(suspects: pa.Table, packed: Mapping[str, Packed], at_most: int) -> list[SuspectFrame]:
    """The first suspects.

    Args:
        suspects: with the columns of `label_errors.SUSPECTS`.
        packed: the arrays by split, `train` and `validation`.
        at_most: how many.
    """
    rows: list[dict[str, Any]] = suspects.slice(0, at_most).to_pylist()
    frames = []
    for row in rows:
        arrays = packed[row["split"]]
        pixels = arrays.images[int(np.flatnonzero(arrays.ids == row["id"].encode())[0])]
        told = {name: row[name] for name in ("path", "split", "label", "suggested", "score")}
        frames.append(SuspectFrame(image_data_uri(pixels, GALLERY_SIDE), is_small(pixels), **told))
    return frames


def slice_mistakes(
    slices: Sequence[Slice], found: Evaluation, held_out: HeldOut, frames: Frames
) -> list[tuple[Slice, list[Frame]]]:
    """Each slice with its surest mistakes; without pictures from the seventh slice on."""
    sure = found.probabilities.max(axis=1)
    return [
        (each, frames.of(ordered(each.rows[~found.right[each.rows]], -sure, held_out.ids)[:OF_A_SLICE], CELL_SIDE))
        if place < PICTURED_SLICES
        else (each, [])
        for place, each in enumerate(slices)
    ]


def damaged(
    image: npt.NDArray[np.uint8], key: str, curves: Sequence[RobustnessCurve]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """An image at each severity of each kind of damage, as (`src`, what was done), by the name of the kind."""
    return [
        (
            kind.name,
            [
                (image_data_uri(picture, GALLERY_SIDE), words)
                for picture, words in zip(
                    [image, *(kind.apply(image, amount, key) for amount in kind.amounts)],
                    curve.labels_of_severity,
                    strict=True,
                )
            ],
        )
        for kind, curve in zip(CORRUPTIONS, curves, strict=True)
    ]
