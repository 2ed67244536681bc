"""The small tables that are checked: one of images, one of classes, one row about the whole set."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.duplicates.confirm import NearCopies
from darkroom.duplicates.groups import Copies, find_copies
from darkroom.images.manifest import MANIFEST, manifest_ranges, read_manifest_range
from darkroom.images.pillow_decoder import is_grey
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.columns import addressable
from darkroom.runtime.text import count

# What a source or a reviewer need not give; every other column of the manifest has a value in every row.
OPTIONAL = ("source_label", "source_split", "group", "timestamp")
# Columns that are held of all images.
LOOKED_AT = (
    *("id", "sha256", "path", "label", "group"),
    *("width", "height", "mode", "frames", "brightness", "contrast", "sharpness"),
)
MEASURED = ("brightness", "contrast", "sharpness")
# From this ratio of the largest to the smallest class on there is a note, long before the line stops.
UNEQUAL = 3.0
# Files of several pictures that a note lists.
LISTED = 3


@dataclass(frozen=True)
class Facts:
    """Where the manifest lacks values, only `missing_columns`, the class list and the rejects are filled.

    Attributes:
        images: the columns `LOOKED_AT` of the manifest, with `shorter_side` and `longer_side` in pixels, `aspect_ratio` (longer
            by shorter) and `grey`.
        classes: `label`, `images`: a row for each class of the list and its count, which may be 0.
        overall: one row, a column for each number about the whole set; shares are of one.
        rejects: the files that can't be read, as ingest wrote it.
        missing_columns: columns of the manifest that are not there, or have gaps.
        copies: the sets of images that show one picture.
        largest_group: images of the largest group, the user's groups included.
        near: the near-copies as they were found; None where they were not looked for.
    """

    images: pd.DataFrame
    classes: pd.DataFrame
    overall: pd.DataFrame
    rejects: pd.DataFrame
    missing_columns: tuple[str, ...] = ()
    copies: tuple[Copies, ...] = field(default=())
    largest_group: int = 1
    near: NearCopies | None = None

    @property
    def conflicts(self) -> tuple[Copies, ...]:
        """The copies that have several labels."""
        return tuple(copies for copies in self.copies if copies.conflicting)

    @property
    def extra_copies(self) -> int:
        """Images beyond the first of their set."""
        return sum(len(copies.paths) - 1 for copies in self.copies)

    @property
    def notes(self) -> dict[str, str]:
        """What is worth a line and breaks no expectation, by topic."""
        if self.missing_columns:
            return {}
        notes = {}
        ratio = self.overall["imbalance_ratio"].item()
        if ratio >= UNEQUAL:
            notes["classes"] = (
                f"the largest class has {ratio:.1f} times the images of the smallest: `train.balance: weights` counts the "
                "rare ones more in training, `sampler` shows them more often"
            )
        paths = self.images.loc[self.images["frames"] > 1, "path"].tolist()
        if paths:
            more = f" and {len(paths) - LISTED:,} more" if len(paths) > LISTED else ""
            notes["several pictures"] = (
                f"{count(len(paths), 'file holds', 'files hold')} several pictures (animations, pages); the first counts: "
                f"{', '.join(paths[:LISTED])}{more}"
            )
        if self.near and self.near.equal_alone:
            notes["near-copies"] = (
                f"{self.near.lookalikes:,} of {len(self.images):,} images look like another by chance, with too little detail "
                "to call one a copy: as copies count equal files, nearly equal pixels, and pictures full of detail. "
                "`validate.near_copies: true` counts more re-encoded, resized and cropped pictures, `false` equal files "
                "alone; a `group` column keeps images in one split"
            )
        return notes


def rarer_mode(images: pd.DataFrame) -> str:
    """`grey` or `colour`, whichever fewer images are."""
    return "grey" if images["grey"].mean() <= 0.5 else "colour"


def read_images(ingest: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of the manifest that are looked at, and the names of those that ingest promises and that are not there, or
    have gaps. One range is read at a time.

    Args:
        ingest: the folder that the ingest stage wrote.
    """
    schema = pa.schema([MANIFEST.field(name) for name in LOOKED_AT])
    parts, gaps = [schema.empty_table()], set()
    for each in manifest_ranges(ingest):
        part = read_manifest_range(ingest, each.name)
        gaps |= {name for name in part.column_names if pc.any(part[name].is_null(nan_is_null=True)).as_py()}
        parts.append(part.select(schema.names))
    images: pd.DataFrame = addressable(pa.concat_tables(parts)).to_pandas(split_blocks=True)
    return images, tuple(name for name in MANIFEST.names if name in gaps and name not in OPTIONAL)


def missing_columns(manifest: pd.DataFrame) -> tuple[str, ...]:
    """Columns that ingest promises and that are not there, or have gaps."""
    required = [name for name in MANIFEST.names if name not in OPTIONAL]
    return tuple(name for name in required if name not in manifest or manifest[name].isna().any())


def with_measures(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with `shorter_side` and `longer_side` in pixels, `aspect_ratio` (longer by shorter) and `grey`, and what was
    measured rounded: the table `images` of the checks."""
    width, height = manifest["width"].to_numpy(), manifest["height"].to_numpy()
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    modes = manifest["mode"]
    images: pd.DataFrame = manifest.assign(
        shorter_side=shorter,
        longer_side=longer,
        aspect_ratio=(longer / shorter).round(3),
        grey=modes.isin([mode for mode in modes.unique() if is_grey(mode)]),
        **{name: manifest[name].to_numpy(np.float64).round(5) for name in MEASURED},
    )
    return images


def gather_incomplete_facts(manifest: pd.DataFrame, rejects: pd.DataFrame, classes: ClassList) -> Facts:
    """The facts of a manifest that lacks values."""
    missing = missing_columns(manifest)
    images = manifest.drop(columns=[name for name in missing if name in manifest])
    counts = pd.DataFrame({"label": pd.array(classes.names, dtype="str")})
    return Facts(images, counts, pd.DataFrame(_shares(manifest, rejects, classes), index=[0]), rejects, missing)


def gather_facts(
    manifest: pd.DataFrame,
    rejects: pd.DataFrame,
    classes: ClassList,
    copies: Int64s,
    groups: pd.Series,
    near: NearCopies,
) -> Facts:
    """Count once what the expectations and the summary need.

    Args:
        manifest: of `read_images`, with at least one row.
        rejects: with the columns of `darkroom.images.manifest.REJECTS`.
        classes: made at ingest.
        copies: the number of each image's set, of `darkroom.duplicates.groups.join_copies`.
        groups: the name of each image's group.
        near: the near-copies, of which the numbers are read.
    """
    images = with_measures(manifest)
    labels = images["label"].value_counts()
    counts = pd.DataFrame(
        {
            "label": pd.array(classes.names, dtype="str"),
            "images": labels.reindex(list(classes.names)).fillna(0).to_numpy(),
        }
    ).astype({"images": int})
    found = tuple(find_copies(manifest, copies))
    grey = float(images["grey"].mean())
    overall = _shares(manifest, rejects, classes) | {
        "missing_classes": int((counts["images"] == 0).sum()),
        "smallest_class": int(labels.min()),
        "imbalance_ratio": round(float(labels.max() / labels.min()), 3),
        "mode_mix": min(grey, 1 - grey),
        "copies_share": sum(len(one.paths) - 1 for one in found) / len(images),
        "conflicts": sum(one.conflicting for one in found),
    }
    largest = int(groups.value_counts().iloc[0])
    return Facts(images, counts, pd.DataFrame(overall, index=[0]), rejects, (), found, largest, near)


def _shares(manifest: pd.DataFrame, rejects: pd.DataFrame, classes: ClassList) -> dict[str, float]:
    return {"classes": len(classes), "rejected_share": len(rejects) / (len(rejects) + len(manifest))}
