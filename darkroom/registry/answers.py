"""Some test images with the answers of a bundle, stored beside it: whoever publishes it or goes back to it asks again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darkroom.bundle.bundle import Bundle
from darkroom.images.manifest import INGEST, manifest_of
from darkroom.images.shards import read_shards
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import SPLIT_TABLE

if TYPE_CHECKING:
    from darkroom.runtime.revisions import Revision

IMAGES = 32
SPLITS = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("id", "split")])
STORED = pa.schema(
    [
        pa.field("image", pa.binary(), nullable=False),
        pa.field("probabilities", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
    ]
)


def sample_images(revision: "Revision", count: int = IMAGES) -> list[bytes]:
    """The files of test images, evenly over all.

    Args:
        revision: an open one.
        count: images, at most.

    Raises:
        DarkroomError: when the revision has none, or its data is out of reach.
    """
    manifest = manifest_of(revision, ["id", "shard", "offset", "bytes"])
    splits = read_checked_table(revision.get(SPLIT_TABLE.as_posix()), SPLITS, str(SPLIT_TABLE), "run `dvc repro split`")
    ids = splits.filter(pc.equal(splits["split"], "test"))["id"]
    if manifest is None or not len(ids):
        raise DarkroomError(f"{revision.name} has no test image that a bundle could be asked about: raise split.test")
    chosen = ids.take(np.arange(min(count, len(ids))) * len(ids) // min(count, len(ids)))
    rows = manifest.take(pc.index_in(chosen, manifest["id"].combine_chunks()))
    folder = Path()
    for shard in pc.unique(rows["shard"]).to_pylist():
        # A shard is in a folder of its own; those of older revisions are not.
        folder = revision.get(f"{INGEST}/shards/{shard}.bin").parents[shard.count("/")]
    return list(
        read_shards(folder, zip(*(rows[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True))
    )


def ask(bundle: Bundle, images: Sequence[bytes]) -> Float32s:
    """Probabilities float32 [N, K] of image files, one by one, as a client gets them.

    Raises:
        UnreadableImage: with the reason.
    """
    return np.concatenate([bundle.predict(bundle.pixels(data)[None]) for data in images])


def store_answers(file: Path, images: Sequence[bytes], answers: Float32s) -> None:
    """Write images and the answers that they got."""
    pq.write_table(pa.table({"image": list(images), "probabilities": answers.tolist()}, STORED), file)


def stored_answers(file: Path) -> tuple[list[bytes], Float32s]:
    """Images, and the answers that they got, float32 [N, K].

    Raises:
        DarkroomError: when the file can't be read.
    """
    table = read_checked_table(file, STORED, str(file), "remove it, and it is made again")
    return table["image"].to_pylist(), np.array(table["probabilities"].to_pylist(), dtype=np.float32)


def require_same_answers(bundle: Bundle, images: Sequence[bytes], answers: Float32s) -> None:
    """Stop unless a bundle answers images bit for bit as before.

    Args:
        bundle: opened.
        images: files.
        answers: float32 [N, K].

    Raises:
        DarkroomError: with how many differ, and by how much.
    """
    found = ask(bundle, images)
    if found.shape != answers.shape:
        raise DarkroomError(f"{bundle.folder} answers {found.shape[1]} classes, and answered {answers.shape[1]} before")
    if not np.array_equal(found, answers):
        differing = int((found != answers).any(axis=1).sum())
        raise DarkroomError(
            f"{bundle.folder} answers {differing} of {len(answers)} stored images otherwise than before, by up to "
            f"{np.abs(found - answers).max():.2g}: on another processor the last bits may differ; remove the folder and its "
            "answers beside it, and both are made again here"
        )
