"""One range of the manifest becomes a file of pixels for each split that has images of it."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from darkroom.images.cache import PixelCache
from darkroom.images.manifest import read_manifest_range
from darkroom.images.pack import PixelForm, decode_rows, level_counts, new_array
from darkroom.images.receipts import Receipt, made_from
from darkroom.runtime.arrays import Int32s, Int64s, UInt8s
from darkroom.runtime.files import file_hash, whole_file

COLUMNS = ["sha256", "shard", "offset", "bytes"]


@dataclass(frozen=True)
class PackedPart:
    """The images of a range that are in one split.

    Attributes:
        file: `<split>/<id of the first image>.npy`.
        rows: of the range, int32 [n].
        key: what says, without looking at the images, that they are as they were (`darkroom.images.receipts.rows_key`).
        counted: whether to count the values of the pixels.
        old: files of earlier ranges; the rows to copy of each, and the rows of `file` that they become, int64 [m].
    """

    file: str
    rows: Int32s
    key: str
    counted: bool
    old: Sequence[tuple[Path, Int64s, Int64s]] = ()


@dataclass(frozen=True)
class PackTask:
    """A range to pack: the names of files, and no pixels.

    Attributes:
        name: of the range.
        parts: the files to write.
        ingest: the folder of the manifest and the original bytes.
        samples: the folder of the pixel cache.
        folder: to write into.
    """

    name: str
    parts: Sequence[PackedPart]
    form: PixelForm
    ingest: Path
    samples: Path
    folder: Path


def pack_range(task: PackTask) -> tuple[list[Receipt], int]:
    """Write the files of a range; their receipts, and how many images were decoded. Each original is read once."""
    images = read_manifest_range(task.ingest, task.name, COLUMNS)
    cache = PixelCache(task.samples, task.form.identity, task.form.shape)
    part_of, place_of = np.full(len(images), -1), np.zeros(len(images), np.int64)
    with ExitStack() as stack:
        targets = [stack.enter_context(whole_file(task.folder / part.file)) for part in task.parts]
        arrays = [
            new_array(target, len(part.rows), task.form) for target, part in zip(targets, task.parts, strict=True)
        ]
        hashes = [images["sha256"].take(pa.array(part.rows)) for part in task.parts]
        for number, part in enumerate(task.parts):
            missing = np.flatnonzero(~_copy_known(part, hashes[number], cache, arrays[number]))
            part_of[part.rows[missing]], place_of[part.rows[missing]] = number, missing
        rows = np.flatnonzero(part_of >= 0)
        for decoded, pixels in decode_rows(images, rows, task.ingest / "shards", task.form, f"preprocess {task.name}"):
            for number in np.unique(part_of[decoded]):
                own = part_of[decoded] == number
                arrays[number][place_of[decoded[own]]] = pixels[own]
        counts = [
            level_counts(array).ravel().tolist() if part.counted else []
            for array, part in zip(arrays, task.parts, strict=True)
        ]
        del arrays  # the files are read next
        found = [file_hash(target) for target in targets]
    receipts = []
    for part, listed, sha256, counted in zip(task.parts, hashes, found, counts, strict=True):
        status = (task.folder / part.file).stat()
        made = made_from(listed)
        receipts.append(
            Receipt(part.file, len(part.rows), part.key, made, sha256, status.st_size, status.st_mtime_ns, counted)
        )
    return receipts, len(rows)


def _copy_known(part: PackedPart, hashes: pa.ChunkedArray, cache: PixelCache, array: UInt8s) -> "np.ndarray":
    """Copy the rows that `select` or an earlier run packed; bool [n], which ones."""
    written = cache.copy_to(hashes.to_pylist(), array)
    for file, rows, places in part.old:
        left = ~written[places]
        array[places[left]] = np.load(file, mmap_mode="r")[rows[left]]
        written[places] = True
    return written
