"""The images that are split, read from the manifest and the groups."""

from pathlib import Path

import numpy as np

from darkroom.images.range_rows import ManifestPaths, read_range_rows
from darkroom.runtime.errors import DarkroomError
from darkroom.splits.rule import NO_TIMESTAMP, UNDECIDED, SplitConfig, SplitInput


def _dates(config: SplitConfig) -> list[str]:
    return [name for name in ("validation_from", "test_from") if getattr(config, name)]


def read_split_input(ingest: Path, groups: Path, config: SplitConfig, classes: tuple[str, ...]) -> SplitInput:
    """Read the images as numbers, range after range.

    Args:
        ingest: the folder that the ingest stage wrote.
        groups: the table id, group of the validate stage.
        config: says whether timestamps are needed.
        classes: the names of the class list.

    Raises:
        DarkroomError: when the groups are of another manifest, or a date is set and images have no timestamp.
    """
    columns = ["sha256", "label", "source_split", *(["timestamp"] if _dates(config) else [])]
    parts = read_range_rows(ingest, columns, groups, ["group"])
    images = SplitInput.of(((each.manifest, each.table) for each in parts), classes)
    _require_timestamps(ManifestPaths(ingest), images, config)
    return images


def _require_timestamps(paths: ManifestPaths, images: SplitInput, config: SplitConfig) -> None:
    """A split by date needs the timestamp of every image, but for those that the source assigns itself."""
    dates = _dates(config)
    if not dates:
        return
    undated = np.flatnonzero((images.timestamp == NO_TIMESTAMP) & (images.source_split == UNDECIDED))
    if not len(undated):
        return
    raise DarkroomError(
        f"split.{dates[0]} is set, and {len(undated):,} of {len(images.id):,} images have no timestamp, the first of them "
        f"{', '.join(paths(undated[:3]))}: give the source's table a `timestamp` for each of them, or leave split.{dates[0]} "
        "empty"
    )
