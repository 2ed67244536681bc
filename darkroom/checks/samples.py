"""A few images of a data set, small enough for a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.images.decode import decode
from darkroom.images.shards import read_shards

# Every picture costs a decoding and some kilobytes of page: this many in all, this many of a class, this many pixels a side.
SAMPLES = 64
SAMPLES_OF_A_CLASS = 8
SAMPLE_SIDE = 128


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


def read_samples(images: pd.DataFrame, rows: list[int], shards: Path, decoder: str) -> dict[int, Sample]:
    """Decode the images in these rows, each once.

    Args:
        images: with the columns `path`, `label`, `shard`, `offset`, `bytes`.
        rows: positions, in any order, with or without repetition.
        shards: the folder of the original bytes.
        decoder: that ingest used.
    """
    order = sorted(set(rows))
    chosen = images.iloc[order]
    places = zip(chosen["shard"], chosen["offset"], chosen["bytes"], strict=True)
    samples = {}
    for row, path, label, data in zip(order, chosen["path"], chosen["label"], read_shards(shards, places), strict=True):
        pixels = decode(data, decoder, least_side=SAMPLE_SIDE).pixels
        share = SAMPLE_SIDE / max(pixels.shape[:2])
        if share < 1:
            width, height = (max(1, round(side * share)) for side in (pixels.shape[1], pixels.shape[0]))
            pixels = np.atleast_3d(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
        samples[row] = Sample(image_data_uri(pixels), is_small(pixels), path, label)
    return samples
