"""The test split, opened for scoring and for nothing else."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.model.classes import ClassList
from darkroom.runtime.errors import DarkroomError


@dataclass(frozen=True)
class HeldOut:
    """The test images in the order of `data/preprocess/test`.

    Attributes:
        images: uint8 [N, S, S, C], memory-mapped.
        labels: int64 [N].
        ids: the manifest's ids.
        paths: the images' paths in their source.
        split_sizes: images in each of the three splits.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    ids: list[str]
    paths: list[str]
    split_sizes: dict[str, int]


def open_vault(arrays: Path, ingest: Path, splits: Path, classes: ClassList) -> HeldOut:
    """Read the test arrays, and make sure that they are what manifest and splits say they are.

    Args:
        arrays: the folder `data/preprocess`.
        ingest: the folder that the ingest stage wrote.
        splits: `splits.parquet`.
        classes: the class list of ingest.

    Raises:
        DarkroomError: when the arrays were packed with another class list, hold an image that is not in the test split,
            or a label that is not the manifest's; or when there is no test image.
    """
    stats = json.loads((arrays / "stats.json").read_text(encoding="utf-8"))
    if stats["class_hash"] != classes.hash:
        raise DarkroomError(
            f"{arrays / 'stats.json'} was made with another class list (hash {stats['class_hash'][:12]}, and the "
            f"{len(classes)} classes of ingest have {classes.hash[:12]}): run the line again with `dvc repro`"
        )
    folder = arrays / "test"
    packed = load_packed(folder)
    ids = [name.decode("ascii") for name in packed.ids.tolist()]
    if not ids:
        raise DarkroomError(f"{folder} holds no image: raise split.test in params.yaml, or add images")
    table = read_manifest(ingest, ["id", "path", "label"]).to_pydict()
    rows = {name: row for row, name in enumerate(table["id"])}
    split = dict(zip(*pq.read_table(splits, columns=["id", "split"]).to_pydict().values(), strict=True))
    strangers = [name for name in ids if split.get(name) != "test" or name not in rows]
    if strangers:
        raise DarkroomError(
            f"{len(strangers):,} of {len(ids):,} images in {folder} are not in the test split of {splits}, the first is "
            f"{strangers[0]}: run `dvc repro preprocess`"
        )
    places = [rows[name] for name in ids]
    relabelled = [k for k, row in enumerate(places) if table["label"][row] != classes.names[packed.labels[k]]]
    if relabelled:
        raise DarkroomError(
            f"{len(relabelled):,} of {len(ids):,} labels in {folder} are not those of {ingest / 'manifest'}, the first is of "
            f"{table['path'][places[relabelled[0]]]}: run `dvc repro preprocess`"
        )
    return HeldOut(packed.images, packed.labels, ids, [table["path"][row] for row in places], stats["images"])
