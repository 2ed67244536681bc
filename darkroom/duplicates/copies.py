"""Copies: images that show the same picture, and those of them that contradict each other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

# Images of a set that are named in a line of text; reports have them all.
NAMED = 4


@dataclass(frozen=True)
class Copies:
    """Images that show one picture, when there are several.

    Attributes:
        rows: of the manifest, in the order of their paths.
        paths: one an image.
        labels: likewise.
        exact: whether all of them have the same bytes.
    """

    rows: tuple[int, ...]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    exact: bool

    @property
    def conflicting(self) -> bool:
        """Whether the same picture stands under several labels, at most one of which can be right."""
        return len(set(self.labels)) > 1

    @property
    def telling(self) -> list[int]:
        """Positions, those first that tell most: the first image of each label, then the others."""
        firsts = {self.labels.index(label) for label in set(self.labels)}
        return sorted(firsts) + [position for position in range(len(self.rows)) if position not in firsts]

    @property
    def named(self) -> str:
        """The first few in words: `cat/1.png (cat) = dog/7.png (dog)`, with `≈` where bytes differ."""
        shown = sorted(self.telling[:NAMED])
        sign = " = " if self.exact else " ≈ "
        names = sign.join(f"{self.paths[position]} ({self.labels[position]})" for position in shown)
        more = len(self.rows) - len(shown)
        return f"{names} and {more:,} more" if more else names


def find_copies(manifest: pd.DataFrame, copies: npt.NDArray[np.int64]) -> list[Copies]:
    """The sets of more than one image, in the order of their first paths.

    Args:
        manifest: `sha256`, `path`, `label`.
        copies: the number of each image's set, of `darkroom.duplicates.groups.join_copies`.
    """
    repeated = np.flatnonzero(np.bincount(copies)[copies] > 1) if len(copies) else np.empty(0, np.int64)
    rows = manifest[["sha256", "path", "label"]].iloc[repeated].assign(row=repeated, set=copies[repeated])
    rows = rows.sort_values("path", kind="stable")
    # Sets get their numbers in the order of their first paths.
    rows = rows.assign(set=pd.factorize(rows["set"])[0]).sort_values("set", kind="stable")
    ends = np.flatnonzero(np.diff(rows["set"], append=-1)) + 1
    columns = [rows[name].tolist() for name in ("row", "path", "label", "sha256")]
    found = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False):
        members, paths, labels, hashes = (column[start:end] for column in columns)
        found.append(Copies(tuple(members), tuple(paths), tuple(labels), len(set(hashes)) == 1))
    return found
