"""The ranges of the manifest, each with its rows of a later table that has a row for each image; one range in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.manifest import ManifestRange, manifest_ranges, read_manifest_range
from darkroom.runtime.arrays import Int32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_slices


class RangeRows(NamedTuple):
    """A range of the manifest.

    Attributes:
        range: its name, how many images, the hash of its part.
        manifest: some columns of it, `id` first.
        table: some columns of the later table, `id` first.
    """

    range: ManifestRange
    manifest: pa.Table
    table: pa.Table


def read_range_rows(ingest: Path, names: list[str], table: Path, columns: list[str]) -> Iterator[RangeRows]:
    """The ranges in order, with the rows of a table.

    Args:
        ingest: the folder that the ingest stage wrote.
        names: columns of the manifest, beside `id`.
        table: of a later stage, with the ids of the manifest in its order.
        columns: of the table, beside `id`.

    Raises:
        FileNotFoundError: when there is no such table.
        DarkroomError: when it can't be read, lacks a column, or is of another manifest.
    """
    ranges = manifest_ranges(ingest)
    slices = read_input_slices(table, ["id", *columns], [each.images for each in ranges])
    for each, rows in zip(ranges, slices, strict=True):
        part = read_manifest_range(ingest, each.name, ["id", *names])
        if not part["id"].cast(pa.string()).equals(rows["id"].cast(pa.string())):
            raise DarkroomError(f"{table} does not belong to {ingest / 'manifest'}: run `dvc repro` to make it again")
        yield RangeRows(each, part, rows)


class ManifestPaths:
    """The paths of some images, of which the ranges that they are in are read."""

    def __init__(self, ingest: Path) -> None:
        self._ingest = ingest
        self._ranges = manifest_ranges(ingest)
        self._starts = np.cumsum([0, *(each.images for each in self._ranges)])

    def __call__(self, rows: Int64s) -> list[str]:
        """The paths of rows of the manifest, int64 [n]."""
        found = [""] * len(rows)
        range_of = np.searchsorted(self._starts, rows, "right") - 1
        for number in np.unique(range_of).tolist():
            paths = read_manifest_range(self._ingest, self._ranges[number].name, ["path"])["path"]
            for place in np.flatnonzero(range_of == number).tolist():
                found[place] = paths[int(rows[place] - self._starts[number])].as_py()
        return found


def shorter_sides(ingest: Path) -> Int32s:
    """The shorter side of each image in pixels, int32 [N]."""
    tables = (read_manifest_range(ingest, each.name, ["width", "height"]) for each in manifest_ranges(ingest))
    return np.concatenate([np.minimum(table["width"].to_numpy(), table["height"].to_numpy()) for table in tables])


def modes(ingest: Path) -> set[str]:
    """The modes of all images, as `L` or `RGB`."""
    tables = (read_manifest_range(ingest, each.name, ["mode"]) for each in manifest_ranges(ingest))
    return {mode for table in tables for mode in pc.unique(table["mode"]).to_pylist()}
