"""The small tables that expectations are held against: one of images, one of classes, one row about the whole set."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from darkroom.classes import ClassList
from darkroom.images.duplicates import Copies, find_copies, group_exact
from darkroom.images.schemas import MANIFEST


@dataclass(frozen=True)
class Facts:
    """Where the manifest lacks a column, only `missing_columns`, what is known of the classes and the rejects are told.

    Attributes:
        images: the manifest, with `shorter_side` and `longer_side` in pixels.
        classes: `label`, `images`: a row for each class of the list and its count, which may be 0.
        overall: one row: `classes` (count), `rejected_share` (of all files, in [0, 1]), `conflicts` (pictures under
            several labels), `imbalance_ratio` (largest class divided by smallest, of those that have images).
        rejects: as ingest wrote it.
        missing_columns: of the manifest.
        groups: `id`, `group`, row for row beside the manifest.
        copies: the groups of more than one image.
    """

    images: pd.DataFrame
    classes: pd.DataFrame
    overall: pd.DataFrame
    rejects: pd.DataFrame
    missing_columns: tuple[str, ...] = ()
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    copies: tuple[Copies, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """What expectations are held against, by name."""
        return {"images": self.images, "classes": self.classes, "overall": self.overall}

    @property
    def conflicts(self) -> tuple[Copies, ...]:
        """The copies that stand under several labels."""
        return tuple(group for group in self.copies if group.conflicting)


def gather_facts(manifest: pd.DataFrame, rejects: pd.DataFrame, classes: ClassList) -> Facts:
    """Count once what the expectations, the page and the summary tell.

    Args:
        manifest: with `darkroom.images.manifest.MANIFEST`'s columns and at least one row.
        rejects: with the columns of `darkroom.images.manifest.REJECTS`.
        classes: made at ingest.
    """
    overall = pd.DataFrame(
        {"classes": [len(classes)], "rejected_share": [len(rejects) / (len(rejects) + len(manifest))]}
    )
    counts = pd.DataFrame({"label": classes.names})
    missing = tuple(name for name in MANIFEST.names if name not in manifest.columns)
    if missing:
        return Facts(manifest, counts, overall, rejects, missing)
    images = manifest.assign(
        shorter_side=np.minimum(manifest["width"], manifest["height"]),
        longer_side=np.maximum(manifest["width"], manifest["height"]),
    )
    counts["images"] = images["label"].value_counts().reindex(list(classes.names), fill_value=0).to_numpy()
    sizes = images["label"].value_counts()
    groups = group_exact(manifest)
    copies = tuple(find_copies(manifest, groups))
    overall["imbalance_ratio"] = float(sizes.max() / sizes.min())
    overall["conflicts"] = sum(group.conflicting for group in copies)
    return Facts(images, counts, overall, rejects, groups=groups, copies=copies)
