"""Images that are in no split: why, and beside which image; for the terminal, a file and the page."""

import numpy as np

from darkroom.runtime.arrays import Int64s
from darkroom.splits.rule import NO_PARTITION, SOURCE_SPLITS
from darkroom.splits.table import SplitResult

LINKED = "copies, or others of the group, are in different splits since the previous run"


def excluded_rows(result: SplitResult) -> dict[str, Int64s]:
    """The rows of the excluded images, int64, by the reason."""
    rows = np.flatnonzero(result.partitions == NO_PARTITION)
    reasons = np.array([_reason(result, row) for row in _beside(result)[result.images.group[rows]]], dtype=object)
    return {reason: rows[reasons == reason] for reason in dict.fromkeys(reasons)}


def _reason(result: SplitResult, beside: int) -> str:
    """Why the other images of a group are excluded, given its first one in a split."""
    if result.assignment.sampled[beside]:
        return LINKED
    split = result.partition(beside)
    if result.assignment.by_date[beside]:
        return f"copies, or others of the group, are in {split} by split.{split}_from"
    return f"copies, or others of the group, are in the source's own {split} split"


def _beside(result: SplitResult) -> Int64s:
    """The first row of each group that is in a split, int64 [G]; N where none is."""
    first = np.full(len(result.images.keys), len(result.partitions))
    rows = np.flatnonzero(result.partitions != NO_PARTITION)
    np.minimum.at(first, result.images.group[rows], rows)
    return first


def excluded_images(result: SplitResult) -> list[dict[str, str | None]]:
    """A record for each excluded image.

    Returns:
        Path, label and split in the source; the split of the previous run, None where it was in none; the reason; the first
        image of its group that is in a split, and that split.
    """
    beside, names = _beside(result), result.config.partitions
    found: list[dict[str, str | None]] = []
    for reason, rows in excluded_rows(result).items():
        others = beside[result.images.group[rows]]
        paths, paths_beside = result.paths(rows), result.paths(others)
        for row, other, path, path_beside in zip(rows.tolist(), others.tolist(), paths, paths_beside, strict=True):
            previous, brought = result.previous.partitions[row], result.images.brought[row]
            found.append(
                {
                    "path": path,
                    "label": result.images.classes[result.images.label[row]],
                    "source_split": None if brought < 0 else SOURCE_SPLITS[brought],
                    "previous_split": None if previous == NO_PARTITION else names[previous],
                    "reason": reason,
                    "beside": path_beside,
                    "beside_split": result.partition(other),
                }
            )
    return found
