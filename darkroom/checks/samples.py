"""The pictures of the page: which images they are, and their pixels; of the manifest only their ranges are read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.checks.summaries import Summaries
from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.images.decode import decode
from darkroom.images.shards import read_shards
from darkroom.model.depth import load_depth

# Samples in all, of one class, and pixels a side: each costs a decoding and some kilobytes of page.
SAMPLES, SAMPLES_OF_A_CLASS, SAMPLE_SIDE = 64, 8, 128
COLUMNS = ["path", "label", "shard", "offset", "bytes"]


@dataclass(frozen=True)
class Sample:
    """A picture for a page: its `src`, whether its pixels are shown as squares, where it comes from."""

    uri: str
    crisp: bool
    path: str
    label: str


class Row(NamedTuple):
    """An image by its row of the manifest."""

    row: int


class OfLabel(NamedTuple):
    """An image by its label, and how many images with that label come before it."""

    label: str
    position: int


class OfPath(NamedTuple):
    """An image by its path."""

    path: str


Wanted = Row | OfLabel | OfPath


def pick_samples(counts: dict[str, int]) -> dict[str, list[OfLabel]]:
    """Images that show what is in each class: evenly spaced in the order of the manifest, the same on every run.

    Args:
        counts: images of each class; where classes are many each has fewer samples, and past `SAMPLES` classes the rest have
            none.
    """
    each = max(1, min(SAMPLES_OF_A_CLASS, SAMPLES // len(counts)))
    return {
        label: [
            OfLabel(label, position)
            for position in np.unique(np.linspace(0, images - 1, min(each, images)).astype(int)).tolist()
        ]
        for label, images in list(counts.items())[:SAMPLES]
    }


def read_samples(wanted: Iterable[Wanted], summaries: Summaries, shards: Path) -> dict[Wanted, Sample]:
    """Decode images, each once.

    Args:
        wanted: in any order, with or without repetition.
        summaries: of the manifest that they are in.
        shards: the folder of the original bytes.
    """
    of_range = defaultdict[int, list[Wanted]](list)
    for one in dict.fromkeys(wanted):
        of_range[_range_of(one, summaries)].append(one)
    samples, depth = dict[Wanted, Sample](), load_depth(shards.parent)
    for number, those in sorted(of_range.items()):
        part = summaries.part(number, COLUMNS)
        row_of = {one: _row_of(one, part, number, summaries) for one in those}
        rows = sorted(set(row_of.values()))
        chosen = dict(zip(rows, part.take(rows).to_pylist(), strict=True))
        places = [(each["shard"], each["offset"], each["bytes"]) for each in chosen.values()]
        made = {}
        for (row, each), data in zip(chosen.items(), read_shards(shards, places), strict=True):
            # Pillow opens what any of the decoders opens.
            pixels = decode(data, "pillow", least_side=SAMPLE_SIDE, depth=depth).pixels
            share = SAMPLE_SIDE / max(pixels.shape[:2])
            if share < 1:
                width, height = (max(1, round(side * share)) for side in (pixels.shape[1], pixels.shape[0]))
                pixels = np.atleast_3d(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
            made[row] = Sample(image_data_uri(pixels), is_small(pixels), each["path"], each["label"])
        samples |= {one: made[row] for one, row in row_of.items()}
    return samples


def _range_of(one: Wanted, summaries: Summaries) -> int:
    if isinstance(one, Row):
        return int(np.searchsorted(summaries.starts, one.row, "right")) - 1
    if isinstance(one, OfPath):
        return summaries.range_of_path(one.path)
    return int(np.searchsorted(np.cumsum(summaries.counts_of(one.label)), one.position, "right"))


def _row_of(one: Wanted, part: pa.Table, number: int, summaries: Summaries) -> int:
    """Its row in a range."""
    if isinstance(one, Row):
        return one.row - int(summaries.starts[number])
    if isinstance(one, OfPath):
        return int(pc.index(part["path"], one.path).as_py())
    before = sum(summaries.counts_of(one.label)[:number])
    return int(np.flatnonzero(pc.equal(part["label"], one.label).to_numpy())[one.position - before])
