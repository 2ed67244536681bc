"""A zip as columns: its directory without an object for each entry, where nothing in it is out of the ordinary."""

import hashlib
import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Int64s
from darkroom.runtime.columns import REACH
from darkroom.sources.archive import most_unpacked
from darkroom.sources.image_columns import ImageColumns, place_images
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.source import Location
from darkroom.sources.zip_directory import ENTRY, Block, find_directory, read_blocks
from darkroom.sources.zip_names import UTF8_FLAG

READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
# The order of an image's place.
PLACE = ("offset", "method", "packed", "size", "crc")
# What a name has that is put right, refused or ignored; and what begins with a drive or a slash.
UNUSUAL = r"[\\\x00]|\.\.|\./|//|^/|^[A-Za-z]:|^$"
# Of a header before the name.
LOCAL_BYTES = 30


@dataclass(frozen=True)
class ZipColumns(ImageColumns):
    """The listing of a zip.

    Attributes:
        entries: of each image, `ENTRY` [N].
        archive: the name of the file.
    """

    entries: npt.NDArray[np.void]
    archive: str

    def images(self, start: int, end: int) -> pa.Table:
        """Images `start` to `end`: the attributes of `SourceImage`, as columns."""
        entries = self.entries[start:end]
        places = np.stack([entries[name].astype(np.int64) for name in PLACE], 1)
        place = pa.FixedSizeListArray.from_arrays(pa.array(places.ravel()), len(PLACE)).cast(pa.list_(pa.int64()))
        stamp = pa.array([f"crc32:{crc:08x}:{size}" for size, crc in places[:, 3:].tolist()], pa.string())
        return self.as_images(start, end, pa.repeat(pa.scalar(self.archive), end - start), place, stamp)

    def mark(self, start: int, end: int) -> str:
        """What changes when any of these images does, or its place."""
        return hashlib.sha256(self.names_mark(start, end) + self.entries[start:end].tobytes()).hexdigest()


def zip_columns(location: Location) -> ZipColumns | None:
    """List a zip; None where an entry is one that `list_zip` has to look at, refuse or ignore for more than its place.

    Raises:
        DarkroomError: when it contains fewer than two classes, or names two alike and `location` does not say what they are.
    """
    path = location.path
    try:
        read = _read(path, location.max_unpacked_bytes)
    except OSError:
        return None
    if read is None:
        return None
    files, entries, folders = read
    del read
    order = pc.sort_indices(files)
    paths = files.take(order)
    del files
    if len(paths) > 1 and pc.any(pc.equal(paths[1:], paths[:-1])).as_py():
        return None
    rows, found = place_images(pa.chunked_array([paths]), location, folders, ())
    return ZipColumns(**vars(found), entries=entries[order.to_numpy()[rows]], archive=path.name)


def _read(path: Path, limit: int) -> tuple[pa.Array, npt.NDArray[np.void], list[str]] | None:
    """The names of the files, their entries, `ENTRY` [N], and the names of folders; None where an entry is not plain.

    Args:
        limit: `Location.max_unpacked_bytes`.

    Raises:
        OSError: when it can't be read.
    """
    if (span := find_directory(path)) is None:
        return None
    names, found, spans, folders = list[pa.Array](), [np.empty(0, ENTRY)], [np.empty((0, 2), np.int64)], list[str]()
    for block in read_blocks(path, span):
        if block is None:
            return None
        folder = pc.ends_with(block.names, "/").to_numpy(zero_copy_only=False)
        if not _is_plain(block, folder):
            return None
        within = pc.filter(block.names, pa.array(folder))
        spans.append(_spans(within, block.entries[folder]))
        folders += (name.rstrip("/") for name in within.to_pylist())
        names.append(pc.filter(block.names, pa.array(~folder)))
        found.append(block.entries[~folder])
    if sum(each.nbytes for each in names) > REACH:
        return None
    files = pa.concat_arrays(names)
    names.clear()
    entries = np.concatenate(found)
    found.clear()
    if not _is_whole(path, np.concatenate([*spans, _spans(files, entries)])):
        return None
    if int(entries["size"].sum()) > min(limit, most_unpacked(path.stat().st_size)):
        return None
    return files, entries, folders


def _spans(names: pa.Array, entries: npt.NDArray[np.void]) -> Int64s:
    """Where each entry begins and ends in the file, int64 [n, 2]."""
    ends = entries["offset"] + LOCAL_BYTES + pc.binary_length(names).to_numpy() + entries["packed"]
    return np.stack([entries["offset"], ends], 1)


def _is_plain(block: Block, folder: Bools) -> bool:
    """Whether `list_zip` would take every entry as it is; `folder` says which are folders, by their names."""
    names, entries, kind = block.names, block.entries, block.mode & 0o170000
    encoded = (block.flags & UTF8_FLAG != 0) | pc.string_is_ascii(names).to_numpy(zero_copy_only=False)
    return bool(
        encoded.all()
        and not (block.flags & 1).any()
        and not pc.any(pc.match_substring_regex(names, UNUSUAL)).as_py()
        and np.isin(kind[~folder], (0, stat.S_IFREG)).all()
        and np.isin(kind[folder], (0, stat.S_IFDIR)).all()
        and np.isin(entries["method"][~folder], READABLE).all()
        and all((entries[name] >= 0).all() for name in ("offset", "packed", "size"))
        and (entries["size"] <= MAX_IMAGE_BYTES).all()
        and not entries["size"][folder].any()
    )


def _is_whole(path: Path, spans: Int64s) -> bool:
    """Whether no two entries overlap in the file, and the first and the last begin where the directory says.

    Something may be written before the zip.

    Args:
        spans: where each begins and ends, int64 [N, 2].
    """
    starts, ends = spans.T
    if (starts[1:] < ends[:-1]).any():
        order = np.lexsort((ends, starts))
        if (starts[order][1:] < ends[order][:-1]).any():
            return False
    with path.open("rb") as file:
        return all(os.pread(file.fileno(), 4, int(place)) == b"PK\3\4" for place in (starts.min(), starts.max()))
