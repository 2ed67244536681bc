"""Packing: each range of a split becomes a file of pixels, and a range whose receipt holds stays the file that it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from darkroom.images.cache import PixelCache
from darkroom.images.pack import PixelForm, decode_rows, level_counts, new_array
from darkroom.images.packed import write_receipt
from darkroom.images.receipts import PackedBefore, Receipt, made_from
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.cuts import range_ends
from darkroom.runtime.executor import map_ranges
from darkroom.runtime.files import file_hash, whole_file
from darkroom.runtime.text import count

COLUMNS = ["sha256", "shard", "offset", "bytes"]


@dataclass(frozen=True)
class PackTask:
    """A range to pack: the names of files, and no pixels.

    Attributes:
        file: `<split>/<name>.npy`, in `folder`.
        images: `sha256`, `shard`, `offset`, `bytes` of each image [N].
        old: files of earlier ranges; the rows to copy of each, and the rows that they become, int64 [n].
        counted: whether to count the values of the pixels.
        samples: the folder of the pixel cache.
    """

    file: str
    images: pa.Table
    old: Sequence[tuple[Path, Int64s, Int64s]]
    form: PixelForm
    counted: bool
    shards: Path
    samples: Path
    folder: Path


def pack_range(task: PackTask) -> tuple[Receipt, int]:
    """Write the file of a range; its receipt, and how many images were decoded."""
    hashes = task.images["sha256"].to_pylist()
    with whole_file(task.folder / task.file) as target:
        array = new_array(target, len(hashes), task.form)
        cache = PixelCache(task.samples, task.form.identity, task.form.shape)
        written = cache.copy_to(hashes, array)
        for file, rows, places in task.old:
            left = ~written[places]
            array[places[left]] = np.load(file, mmap_mode="r")[rows[left]]
            written[places] = True
        missing = np.flatnonzero(~written)
        for _ in decode_rows(task.images, missing, task.shards, task.form, array, f"preprocess {task.file}"):
            pass
        counts = level_counts(array).ravel().tolist() if task.counted else []
        del array  # the file is read next
        found = file_hash(target)
    status = (task.folder / task.file).stat()
    receipt = Receipt(task.file, len(hashes), made_from(task.images), found, status.st_size, status.st_mtime_ns, counts)
    return receipt, len(missing)


@dataclass
class PackedSplits:
    """What `pack_splits` wrote.

    Attributes:
        receipts: of all ranges.
        decoded: how many images were decoded.
    """

    receipts: list[Receipt]
    decoded: int
    _before: PackedBefore
    _images: dict[str, pa.Table] = field(repr=False)

    def __str__(self) -> str:
        files = f"{len(self._images):,} of {count(len(self.receipts), 'file')} packed"
        return f"{self.decoded:,} of them decoded, the others were in the cache; {files}"

    def counts(self, split: str, channels: int) -> Int64s:
        """How many pixels of a split have each value, int64 [C, 256]."""
        counted = [each.counts for each in self.receipts if each.file.startswith(f"{split}/")]
        whole: Int64s = np.array(counted, np.int64).reshape(-1, channels, 256).sum(0)
        return whole

    def save(self) -> None:
        """Save the receipts; call it when the folder is in its place."""
        self._before.save(self.receipts, self._images)


def pack_splits(
    images: dict[str, pa.Table],
    shards: Path,
    form: PixelForm,
    counted: str | None,
    cache: Path,
    out: Path,
    folder: Path,
) -> PackedSplits:
    """Pack the images of each split: a file for each range, and the list of them.

    Args:
        images: by split, sorted by path: `id`, `path`, `sha256`, `shard`, `offset`, `bytes`.
        shards: the folder of the original bytes.
        form: what the images become.
        counted: the split whose pixels' values are counted; None for none.
        cache: `.darkroom/cache`.
        out: `data/preprocess` as the last run left it; it need not exist.
        folder: the new one, which has a folder for each split.
    """
    before = PackedBefore(cache / "ranges", f"{form.identity} {form.shape}", counted is not None, out)
    parts = {file: part for split, rows in images.items() for file, part in _cut(rows, split)}
    receipts = {file: receipt for file, part in parts.items() if (receipt := before.receipt(file, part))}
    new = {file: part for file, part in parts.items() if file not in receipts}
    for receipt in receipts.values():
        before.link(receipt, folder)
    tasks = [
        PackTask(
            file,
            part.select(COLUMNS).combine_chunks(),
            old,
            form,
            file.startswith(f"{counted}/"),
            shards.resolve(),
            (cache / "pixels").resolve(),
            folder.resolve(),
        )
        for (file, part), old in zip(new.items(), _old_rows(list(new.values()), before, set(receipts)), strict=True)
    ]
    decoded = 0
    for receipt, opened in map_ranges(pack_range, tasks):
        receipts[receipt.file] = receipt
        decoded += opened
    PixelCache(cache / "pixels", form.identity, form.shape).give_up(_hashes(images.values()))
    for split in images:
        write_receipt([receipts[file].packed for file in parts if file.startswith(f"{split}/")], folder / split)
    return PackedSplits([receipts[file] for file in parts], decoded, before, new)


def _hashes(tables: Iterable[pa.Table]) -> pa.Array:
    """The column `sha256` of all tables, `large_string`: 33.5 million hashes are more than `string` reaches."""
    chunks = [chunk.cast(pa.large_string()) for table in tables for chunk in table["sha256"].chunks]
    return pa.chunked_array(chunks, pa.large_string()).combine_chunks()


def _cut(images: pa.Table, split: str) -> Iterator[tuple[str, pa.Table]]:
    """The ranges of a split: `<split>/<id of the first image>.npy`, and its images. An empty split is one empty range."""
    start = 0
    for end in range_ends(images["path"].to_pylist()) or [0]:
        part = images.slice(start, end - start)
        yield f"{split}/{part['id'][0] if end else 'none'}.npy", part
        start = end


def _old_rows(
    parts: Sequence[pa.Table], before: PackedBefore, held: set[str]
) -> Iterator[list[tuple[Path, Int64s, Int64s]]]:
    """For each range to pack: files that have pixels of its images, the rows there, and the rows that they become."""
    found = before.find(_hashes(parts), held)
    start = 0
    for part in parts:
        end = start + len(part)
        inside = [(file, (places >= start) & (places < end), rows, places) for file, rows, places in found]
        yield [(file, rows[own], places[own] - start) for file, own, rows, places in inside if own.any()]
        start = end
