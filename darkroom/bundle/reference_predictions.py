"""Reference predictions of the evaluated model, and those of a finished bundle for the same files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from darkroom.bundle.bundle import Bundle
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.images.shards import read_shards
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s
from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError

BATCH = 64

# Of `predictions.parquet`, what is read here.
PREDICTIONS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("id", "path", "predicted")),
        pa.field("probabilities", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
    ]
)

# From images uint8 [N, S, S, C] to probabilities float32 [N, K].
Predict = Callable[[UInt8s], Float32s]


@dataclass(frozen=True)
class ReferencePredictions:
    """Test images with the predictions of the evaluated model, in the order of the test arrays.

    Attributes:
        available: test images there are; the rows below are all of them or an even sample.
        paths: in the source [N].
        locations: shard, offset and length of the bytes [N].
        pixels: uint8 [N, S, S, C], as they were packed.
        labels: int64 [N].
        probabilities: float32 [N, K].
    """

    available: int
    paths: list[str]
    locations: list[tuple[str, int, int]]
    pixels: UInt8s
    labels: Int64s
    probabilities: Float32s


def load_reference(
    ingest: Path, arrays: Path, predictions: Path, classes: ClassList, count: int
) -> ReferencePredictions:
    """Read test images and their evaluated predictions, at most `count`, evenly over all.

    Args:
        ingest: the folder that the ingest stage wrote.
        arrays: the folder `data/preprocess/test`.
        predictions: `predictions.parquet` of evaluate.
        classes: of the bundle.
        count: images, at most.

    Raises:
        DarkroomError: when the predictions are not of these images, in this order, or have other classes.
    """
    packed = load_packed(arrays)
    table = read_checked_table(predictions, PREDICTIONS, str(predictions), "run `dvc repro evaluate`")
    ids = [name.decode("ascii") for name in packed.ids.tolist()]
    if table["id"].to_pylist() != ids:
        raise DarkroomError(
            f"{predictions} holds {len(table):,} predictions that are not, one by one, of the {len(ids):,} images in {arrays}: "
            "run `dvc repro evaluate`"
        )
    if not ids:
        raise DarkroomError(
            f"{arrays} holds no image, so that parity can't be checked: raise split.test in params.yaml"
        )
    sample = np.arange(min(count, len(ids))) * len(ids) // min(count, len(ids))
    rows = table.take(sample)
    probabilities = _probabilities(rows, classes, predictions)
    _require_classes(rows, probabilities, classes, predictions)
    images = read_manifest(ingest, ["id", "shard", "offset", "bytes"])
    images = images.take(pc.index_in(rows["id"], images["id"].combine_chunks()))
    return ReferencePredictions(
        available=len(ids),
        paths=rows["path"].to_pylist(),
        locations=list(zip(*(images[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)),
        pixels=packed.images[sample],
        labels=packed.labels[sample],
        probabilities=probabilities,
    )


def _probabilities(rows: pa.Table, classes: ClassList, predictions: Path) -> Float32s:
    """Float32 [N, K]; stop where a row has not as many as there are classes."""
    sizes = pc.unique(pc.list_value_length(rows["probabilities"])).to_pylist()
    if sizes != [len(classes)]:
        raise DarkroomError(
            f"{predictions} has probabilities of {', '.join(map(str, sizes))} classes, and the bundle has {len(classes)}: run "
            "`dvc repro evaluate`"
        )
    return np.array(rows["probabilities"].to_pylist(), dtype=np.float32)


def _require_classes(rows: pa.Table, probabilities: Float32s, classes: ClassList, predictions: Path) -> None:
    """Stop unless the predicted classes are those of the highest probabilities by the class list."""
    expected = [classes.names[index] for index in probabilities.argmax(axis=1)]
    wrong = [row for row, name in enumerate(rows["predicted"].to_pylist()) if name != expected[row]]
    if wrong:
        row = rows.slice(wrong[0], 1).to_pylist()[0]
        raise DarkroomError(
            f"{predictions} was made with another class list than the bundle: {len(wrong):,} of {len(rows):,} predictions "
            f"differ, the first is {row['path']}, which is {row['predicted']} there and {expected[wrong[0]]} by the bundle's "
            "list: run `dvc repro evaluate`"
        )


def bundle_predictions(
    bundle: Bundle, models: Sequence[Predict], reference: ReferencePredictions, shards: Path
) -> list[Float32s]:
    """Predict from file bytes, and check that the pixels are those that were packed.

    Args:
        bundle: its preprocessing comes before every model.
        models: prediction functions of the bundle's models.
        reference: the images.
        shards: the folder with the original bytes.

    Returns:
        For each model, probabilities float32 [N, K].

    Raises:
        DarkroomError: when pixels differ, with how many images and the first.
        UnreadableImage: never for images that ingest has read.
    """
    batches: list[list[Float32s]] = [[] for _ in models]
    differing: list[int] = []
    data = read_shards(shards, reference.locations)
    with tqdm(total=len(reference.paths), desc="parity", unit="img", disable=None) as bar:
        for start in range(0, len(reference.paths), BATCH):
            rows = range(start, min(start + BATCH, len(reference.paths)))
            pixels = np.stack([bundle.pixels(next(data)) for _ in rows])
            differing += [row for row in rows if not np.array_equal(pixels[row - start], reference.pixels[row])]
            for predict, predicted in zip(models, batches, strict=True):
                predicted.append(predict(pixels))
            bar.update(len(rows))
    if differing:
        raise DarkroomError(
            f"parity: {len(differing):,} of {len(reference.paths):,} test images come out of the bundle's preprocessing with "
            f"other pixels than the evaluated model saw, the first is {reference.paths[differing[0]]}: run `dvc repro`"
        )
    return [np.concatenate(predicted) for predicted in batches]
