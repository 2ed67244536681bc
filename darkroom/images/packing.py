"""Packing: each range of a split becomes a file of pixels, and a range whose receipt holds stays the file that it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.cache import PixelCache
from darkroom.images.manifest import manifest_ranges, read_manifest_range
from darkroom.images.pack import IDS, PixelForm, new_array
from darkroom.images.packed import PackedRange, write_receipt
from darkroom.images.range_packing import PackedPart, PackTask, pack_range
from darkroom.images.range_rows import RangeRows, read_range_rows
from darkroom.images.receipts import PackedBefore, Receipt, rows_key
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.columns import hex_digits
from darkroom.runtime.executor import map_ranges
from darkroom.runtime.files import file_hash
from darkroom.runtime.inputs import read_input_slices
from darkroom.runtime.text import count


@dataclass
class PackedSplits:
    """What `pack_splits` wrote.

    Attributes:
        images: how many each split has.
        receipts: of all ranges, by file.
        decoded: how many images were decoded.
    """

    images: dict[str, int]
    receipts: dict[str, Receipt]
    decoded: int
    _before: PackedBefore
    _tasks: list[PackTask] = field(repr=False)

    def __str__(self) -> str:
        packed = sum(len(task.parts) for task in self._tasks)
        files = f"{packed:,} of {count(len(self.receipts), 'file')} packed"
        return f"{self.decoded:,} of them decoded, the others were in the cache; {files}"

    def counts(self, split: str, channels: int) -> Int64s:
        """How many pixels of a split have each value, int64 [C, 256]."""
        counted = [each.counts for file, each in self.receipts.items() if file.startswith(f"{split}/")]
        whole: Int64s = np.array(counted, np.int64).reshape(-1, channels, 256).sum(0)
        return whole

    def save(self) -> None:
        """Save the receipts; call it when the folder is in its place."""
        self._before.save(list(self.receipts.values()), _new_hashes(self._tasks))


def pack_splits(
    ingest: Path,
    splits: Path,
    names: Sequence[str],
    classes: ClassList,
    form: PixelForm,
    counted: str | None,
    cache: Path,
    out: Path,
    folder: Path,
) -> PackedSplits:
    """Pack the images of each split: a file for each range of the manifest, the list of them, labels.npy and ids.npy.

    Args:
        ingest, splits: the folder that the ingest stage wrote, and the split stage's table.
        names: of the splits.
        classes: the list that the labels are of.
        form: what the images become.
        counted: the split whose pixels' values are counted; None for none.
        cache: `.darkroom/cache`.
        out: `data/preprocess` as the last run left it; it need not exist.
        folder: the new one.

    Raises:
        DarkroomError: when the table is of another manifest.
    """
    before = PackedBefore(cache / "ranges", f"{form.identity} {form.shape}", counted is not None, out)
    written = _SplitRows(ingest, splits, names, classes, folder)
    receipts: dict[str, Receipt | None] = {}
    tasks = []
    for each in read_range_rows(ingest, ["label"], splits, ["split"]):
        parts = list(_parts(each, names, written, counted))
        found = {
            part.file: before.receipt(part.file, part.key, _Hashes(ingest, each.range.name, part)) for part in parts
        }
        receipts |= found
        if new := [part for part in parts if found[part.file] is None]:
            tasks.append(
                PackTask(each.range.name, new, form, ingest.resolve(), (cache / "pixels").resolve(), folder.resolve())
            )
    held = {file: receipt for file, receipt in receipts.items() if receipt}
    for receipt in held.values():
        before.link(receipt, folder)
    decoded = 0
    for made, opened in map_ranges(pack_range, _with_old_rows(tasks, before, set(held))):
        held |= {receipt.file: receipt for receipt in made}
        decoded += opened
    PixelCache(cache / "pixels", form.identity, form.shape).give_up(_all_hashes(ingest))
    packed = PackedSplits(written.images, {file: held[file] for file in receipts}, decoded, before, tasks)
    for split in names:
        ranges = [receipt.packed for file, receipt in packed.receipts.items() if file.startswith(f"{split}/")]
        write_receipt(ranges or [_no_images(folder / split, form)], folder / split)
    return packed


class _SplitRows:
    """labels.npy and ids.npy of each split, written range after range.

    Attributes:
        images: how many each split has.
    """

    def __init__(self, ingest: Path, splits: Path, names: Sequence[str], classes: ClassList, folder: Path) -> None:
        lengths = [each.images for each in manifest_ranges(ingest)]
        self.images = dict.fromkeys(names, 0)
        for rows in read_input_slices(splits, ["split"], lengths):
            for each in pc.value_counts(rows["split"]).to_pylist():
                if each["values"] in self.images:
                    self.images[each["values"]] += each["counts"]
        self._classes = pa.array(classes.names)
        self._filled = dict.fromkeys(names, 0)
        self._labels, self._ids = {}, {}
        for name, images in self.images.items():
            (folder / name).mkdir()
            self._labels[name] = _new_column(folder / name / "labels.npy", images, np.dtype(np.int64))
            self._ids[name] = _new_column(folder / name / "ids.npy", images, IDS)

    def add(self, split: str, images: pa.Table) -> None:
        """Write `id` and `label` of the next images of a split."""
        rows = slice(self._filled[split], self._filled[split] + len(images))
        self._labels[split][rows] = pc.index_in(images["label"], value_set=self._classes).to_numpy()
        self._ids[split][rows] = np.frombuffer(hex_digits(images["id"], IDS.itemsize), IDS)
        self._filled[split] = rows.stop


def _new_column(target: Path, images: int, dtype: np.dtype) -> "np.ndarray":
    if not images:  # an empty file can't be mapped
        np.save(target, np.empty(0, dtype))
        return np.empty(0, dtype)
    return np.lib.format.open_memmap(target, mode="w+", dtype=dtype, shape=(images,))


def _parts(each: RangeRows, names: Sequence[str], written: _SplitRows, counted: str | None) -> Iterator[PackedPart]:
    """The files of a range, one for each split that has images of it; their labels and ids are written."""
    for split in names:
        inside = pc.equal(each.table["split"], split)
        rows = np.flatnonzero(inside.to_numpy()).astype(np.int32)
        if len(rows):
            written.add(split, each.manifest.filter(inside))
            first = each.manifest["id"][int(rows[0])]
            yield PackedPart(f"{split}/{first}.npy", rows, rows_key(each.range.sha256, rows), split == counted)


@dataclass(frozen=True)
class _Hashes:
    """Gives the SHA-256 of the images of a part, which are read only where they are needed."""

    ingest: Path
    name: str
    part: PackedPart

    def __call__(self) -> pa.ChunkedArray:
        return read_manifest_range(self.ingest, self.name, ["sha256"])["sha256"].take(pa.array(self.part.rows))


def _new_hashes(tasks: Sequence[PackTask]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Of each part that was packed: its file, and the SHA-256 of its images."""
    for task in tasks:
        for part in task.parts:
            yield part.file, _Hashes(task.ingest, task.name, part)()


def _all_hashes(ingest: Path) -> Iterator[pa.ChunkedArray]:
    return (read_manifest_range(ingest, each.name, ["sha256"])["sha256"] for each in manifest_ranges(ingest))


def _with_old_rows(tasks: list[PackTask], before: PackedBefore, held: set[str]) -> list[PackTask]:
    """The tasks, with what may be copied from earlier files."""
    if not before.has_others(held):
        return tasks
    hashes = [hashes.cast(pa.large_string()) for _, hashes in _new_hashes(tasks)]
    found = before.find(pa.chunked_array([chunk for each in hashes for chunk in each.chunks], pa.large_string()), held)
    start, changed = 0, []
    for task in tasks:
        parts = []
        for part in task.parts:
            end = start + len(part.rows)
            inside = [(file, (places >= start) & (places < end), rows, places) for file, rows, places in found]
            old = [(file, rows[own], places[own] - start) for file, own, rows, places in inside if own.any()]
            parts.append(replace(part, old=old))
            start = end
        changed.append(replace(task, parts=parts))
    return changed


def _no_images(folder: Path, form: PixelForm) -> PackedRange:
    """The one file of an empty split."""
    target = folder / "none.npy"
    new_array(target, 0, form)
    return PackedRange(target.stem, 0, file_hash(target))
