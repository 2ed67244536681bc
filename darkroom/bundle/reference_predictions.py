"""Test images from the bytes of their files through a finished bundle, as a user's images will go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from darkroom.bundle.bundle import Bundle
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.images.shards import read_shards
from darkroom.inference.session import Float32s
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError

BATCH = 64

# From images uint8 [N, S, S, C] to probabilities float32 [N, K].
Answer = Callable[[UInt8s], Float32s]


@dataclass(frozen=True)
class Evaluated:
    """Test images with the answers of the evaluated model, in the order of the test arrays.

    Attributes:
        available: test images there are; the rows below are all of them or an even sample.
        paths: in the source [N].
        places: shard, offset and length of the bytes [N].
        pixels: uint8 [N, S, S, C], as they were packed.
        labels: int64 [N].
        probabilities: float32 [N, K].
    """

    available: int
    paths: list[str]
    places: list[tuple[str, int, int]]
    pixels: UInt8s
    labels: npt.NDArray[np.int64]
    probabilities: Float32s


def load_evaluated(ingest: Path, arrays: Path, predictions: Path, classes: ClassList, count: int) -> Evaluated:
    """Read what is known about the test images, at most `count` of them, evenly over all.

    Args:
        ingest: the folder that the ingest stage wrote.
        arrays: the folder `data/preprocess/test`.
        predictions: `predictions.parquet` of evaluate.
        classes: of the bundle.
        count: images, at most.

    Raises:
        DarkroomError: when the predictions are not of these images, in this order, or name other classes.
    """
    packed, table = load_packed(arrays), pq.read_table(predictions)
    ids = [name.decode("ascii") for name in packed.ids.tolist()]
    if table["id"].to_pylist() != ids:
        raise DarkroomError(
            f"{predictions} holds {len(table):,} answers that are not, one by one, of the {len(ids):,} images in {arrays}: "
            "run `dvc repro evaluate`"
        )
    if not ids:
        raise DarkroomError(f"{arrays} holds no image, so that nothing can be proven: raise split.test in params.yaml")
    kept = np.arange(min(count, len(ids))) * len(ids) // min(count, len(ids))
    rows = table.take(kept)
    probabilities = np.array(rows["probabilities"].to_pylist(), dtype=np.float32)
    _require_classes(rows, probabilities, classes, predictions)
    images = read_manifest(ingest, ["id", "shard", "offset", "bytes"])
    images = images.take(pc.index_in(rows["id"], images["id"].combine_chunks()))
    return Evaluated(
        available=len(ids),
        paths=rows["path"].to_pylist(),
        places=list(zip(*(images[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)),
        pixels=packed.images[kept],
        labels=packed.labels[kept],
        probabilities=probabilities,
    )


def _require_classes(rows: pa.Table, probabilities: Float32s, classes: ClassList, predictions: Path) -> None:
    """Stop unless the names in the predictions are those that the class list gives to the highest probabilities."""
    if probabilities.shape[1] != len(classes):
        raise DarkroomError(
            f"{predictions} has probabilities of {probabilities.shape[1]} classes, and the bundle knows {len(classes)}: run "
            "`dvc repro evaluate`"
        )
    named = [classes.names[index] for index in probabilities.argmax(axis=1)]
    wrong = [row for row, name in enumerate(rows["predicted"].to_pylist()) if name != named[row]]
    if wrong:
        row = rows.slice(wrong[0], 1).to_pylist()[0]
        raise DarkroomError(
            f"{predictions} was made with another class list than the bundle: it names {len(wrong):,} of {len(rows):,} images "
            f"otherwise, the first is {row['path']}, which is {row['predicted']} there and {named[wrong[0]]} by the bundle's "
            "list: run `dvc repro evaluate`"
        )


def replay(bundle: Bundle, models: Sequence[Answer], evaluated: Evaluated, shards: Path) -> list[Float32s]:
    """Answer from file bytes, and make sure on the way that the pixels are those that were packed.

    Args:
        bundle: whose preprocessing comes before every model.
        models: of the bundle.
        evaluated: the images.
        shards: the folder with the original bytes.

    Returns:
        For each model, probabilities float32 [N, K].

    Raises:
        DarkroomError: when pixels differ, with how many images and the first.
        UnreadableImage: never for images that ingest has read.
    """
    parts: list[list[Float32s]] = [[] for _ in models]
    differing: list[int] = []
    data = read_shards(shards, evaluated.places)
    with tqdm(total=len(evaluated.paths), desc="parity", unit="img", disable=None) as bar:
        for start in range(0, len(evaluated.paths), BATCH):
            rows = range(start, min(start + BATCH, len(evaluated.paths)))
            pixels = np.stack([bundle.pixels(next(data)) for _ in rows])
            differing += [row for row in rows if not np.array_equal(pixels[row - start], evaluated.pixels[row])]
            for answer, answers in zip(models, parts, strict=True):
                answers.append(answer(pixels))
            bar.update(len(rows))
    if differing:
        raise DarkroomError(
            f"parity: {len(differing):,} of {len(evaluated.paths):,} test images come out of the bundle's preprocessing with "
            f"other pixels than the evaluated model saw, the first is {evaluated.paths[differing[0]]}: run `dvc repro`"
        )
    return [np.concatenate(answers) for answers in parts]
