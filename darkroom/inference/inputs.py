"""The images that a network is run on: the arrays of all three splits, held against manifest and split table."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.labels.fixes import reviewed_images
from darkroom.model.classes import ClassList
from darkroom.model.provenance import data_version
from darkroom.model.spec import ModelSpec
from darkroom.runtime.arrays import Images, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_json, read_input_table

SPLITS = ("test", "validation", "train")

# What the manifest knows of an image beside its pixels: the error analysis looks for weak slices in it.
FACTS = ["source_split", "group", "timestamp", "width", "height", "mode", "format", "bytes", "brightness", "contrast",
         "sharpness"]  # fmt: skip


@dataclass(frozen=True)
class SplitImages:
    """The images of one split in the order of `data/preprocess/<split>`.

    Attributes:
        images: uint8 [N, S, S, C], memory-mapped.
        labels: int64 [N], positions in the class list.
        ids: the manifest's ids.
        facts: a row an image: path, label, the columns of `FACTS`, and `reviewed`: whether a reviewer has decided on the label.
    """

    images: Images
    labels: Int64s
    ids: list[str]
    facts: pa.Table


def require_trained_on(model: Path, spec: ModelSpec, ingest: Path, splits: Path) -> None:
    """Stop where a model was trained on another data version.

    Args:
        model: its folder, for the message.
        spec: of the model.
        ingest: the folder that the ingest stage wrote.
        splits: `splits.parquet`.

    Raises:
        DarkroomError: with both versions.
    """
    data = data_version(ingest, splits)
    if spec.data_version != data:
        raise DarkroomError(
            f"{model} was trained on data version {spec.data_version}, and {ingest} and {splits} are of {data}, so that test "
            "images may have been trained on: run `dvc repro`"
        )


def open_splits(arrays: Path, ingest: Path, splits: Path, classes: ClassList) -> dict[str, SplitImages]:
    """Open the arrays, and make sure that they are what manifest and split table say they are.

    Args:
        arrays: the folder `data/preprocess`.
        ingest: the folder that the ingest stage wrote.
        splits: `splits.parquet`.
        classes: the class list of ingest.

    Returns:
        By split: test, validation, train.

    Raises:
        DarkroomError: when the arrays were packed with another class list, hold an image that is not in their split, or a
            label that is not the manifest's; or when there is no test image.
    """
    stats = read_input_json(arrays / "stats.json", {"class_hash": str})
    if stats["class_hash"] != classes.hash:
        raise DarkroomError(
            f"{arrays / 'stats.json'} was made with another class list (hash {stats['class_hash'][:12]}, and the "
            f"{len(classes)} classes of ingest have {classes.hash[:12]}): run the line again with `dvc repro`"
        )
    manifest = read_manifest(ingest, ["id", "path", "label", *FACTS])
    settled = pa.array(sorted(reviewed_images(ingest)), pa.string())
    manifest = manifest.append_column("reviewed", pa.compute.is_in(manifest["path"], value_set=settled))
    rows = {image_id: row for row, image_id in enumerate(manifest["id"].to_pylist())}
    split_of = dict(zip(*read_input_table(splits, ["id", "split"]).to_pydict().values(), strict=True))
    opened = {split: _open(arrays / split, split, manifest, rows, split_of, classes) for split in SPLITS}
    if not opened["test"].ids:
        raise DarkroomError(f"{arrays / 'test'} holds no image: raise split.test in params.yaml, or add images")
    return opened


def _open(
    folder: Path, split: str, manifest: pa.Table, rows: dict[str, int], split_of: dict[str, str], classes: ClassList
) -> SplitImages:
    packed = load_packed(folder)
    ids = [image_id.decode("ascii") for image_id in packed.ids.tolist()]
    foreign = [image_id for image_id in ids if split_of.get(image_id) != split or image_id not in rows]
    if foreign:
        raise DarkroomError(
            f"{len(foreign):,} of {len(ids):,} images in {folder} are not in the {split} split of the manifest, the first is "
            f"{foreign[0]}: run `dvc repro preprocess`"
        )
    facts = manifest.take(pa.array([rows[image_id] for image_id in ids], pa.int64())).drop_columns(["id"])
    labels = facts["label"].to_pylist()
    relabelled = [row for row, label in enumerate(packed.labels.tolist()) if labels[row] != classes.names[label]]
    if relabelled:
        raise DarkroomError(
            f"{len(relabelled):,} of {len(ids):,} labels in {folder} are not those of the manifest, the first is of "
            f"{facts['path'][relabelled[0]]}: run `dvc repro preprocess`"
        )
    return SplitImages(packed.images, packed.labels, ids, facts)
