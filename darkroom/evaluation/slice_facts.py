"""What is known of images beside what they show: the columns that weak slices are looked for in."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from darkroom.evaluation.slice_candidates import Column
from darkroom.images.manifest import read_manifest
from darkroom.runtime.errors import DarkroomError

COLUMNS = ["id", "path", "source_split", "group", "timestamp", "width", "height", "mode", "format", "bytes",
           "brightness", "contrast", "sharpness"]  # fmt: skip


def slice_facts(ingest: Path, ids: Sequence[str], class_names: Sequence[str]) -> dict[str, Column]:
    """Facts of images from the manifest, by name; those that are the same for all images are left out.

    What the source told of an image (its split, its group, when it was taken, the folder it lies in) and what ingest measured.

    Args:
        ingest: the folder that the ingest stage wrote.
        ids: the manifest's ids of the images, N of them, in the order of the result.
        class_names: folders with such a name are left out of an image's folder: they tell nothing beside the label.

    Returns:
        N values each; see `darkroom.evaluation.slice_candidates.Column`.

    Raises:
        DarkroomError: when the manifest lacks one of the images.
    """
    manifest = read_manifest(ingest, COLUMNS)
    place = {image_id: row for row, image_id in enumerate(manifest["id"].to_pylist())}
    strangers = [image_id for image_id in ids if image_id not in place]
    if strangers:
        raise DarkroomError(
            f"{len(strangers):,} of {len(ids):,} images are not in {ingest / 'manifest'}, the first is {strangers[0]}: run "
            "`dvc repro`"
        )
    table = manifest.take(pa.array([place[image_id] for image_id in ids], pa.int64()))
    numbers = {
        name: _numbers(table, name) for name in ("brightness", "contrast", "sharpness", "bytes", "width", "height")
    }
    width, height = numbers.pop("width"), numbers.pop("height")
    named = frozenset(class_names)
    facts: dict[str, Column] = {
        "brightness": numbers["brightness"],
        "contrast": numbers["contrast"],
        "sharpness": numbers["sharpness"],
        "shorter side in pixels": np.minimum(width, height),
        "width to height": width / height,
        "file size in bytes": numbers["bytes"],
        "date": table["timestamp"].to_numpy().astype("datetime64[s]"),
        "format": _words(table, "format"),
        "mode": _words(table, "mode"),
        "split of the source": _words(table, "source_split"),
        "group": _words(table, "group"),
        "folder": np.array([_folder(path, named) for path in table["path"].to_pylist()], np.str_),
    }
    # np.unique counts all that is unknown as one value.
    return {name: values for name, values in facts.items() if len(np.unique(values)) > 1}


def _numbers(table: pa.Table, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(table[column].cast(pa.float64()).to_numpy(), np.float64)


def _words(table: pa.Table, column: str) -> Column:
    return np.array(table[column].fill_null("").to_pylist(), np.str_)


def _folder(path: str, class_names: frozenset[str]) -> str:
    return "/".join(part for part in PurePosixPath(path).parent.parts if part not in class_names)
