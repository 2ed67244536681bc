"""A zip as columns: its directory without an object for each entry, where nothing in it is out of the ordinary."""

import io
import os
import stat
import struct
import zipfile
from array import array
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Int64s
from darkroom.sources.archive import most_unpacked
from darkroom.sources.image_columns import ImageColumns, place_images
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.source import Location
from darkroom.sources.zip_names import RECORD, RECORD_BYTES, UTF8_FLAG

READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
# APPNOTE.TXT 4.3.12, behind the mark: flags, method, CRC-32, packed length, length, lengths of name, extra field and comment,
# attributes, offset of the header.
FIELDS = struct.Struct("<8xHH4xLLLHHH4xLL")
# APPNOTE.TXT 4.5.3: the extra field with what does not fit into 32 bits.
ZIP64, FULL = 1, 0xFFFFFFFF
# The places of offset, method, packed length, length and CRC-32 in a row of `_read`.
PLACE = (1, 2, 4, 5, 3)
# What a name has that is put right, refused or ignored; and what begins with a drive or a slash.
UNUSUAL = r"[\\\x00]|\.\.|\./|//|^/|^[A-Za-z]:|^$"


@dataclass(frozen=True)
class ZipColumns(ImageColumns):
    """The listing of a zip.

    Attributes:
        entries: of each image: the offset of its header, the method that it is packed by, its packed length, its length and its
            CRC-32; int64 [N, 5].
        archive: the name of the file.
    """

    entries: Int64s
    archive: str

    def images(self, start: int, end: int) -> pa.Table:
        """Images `start` to `end`: the attributes of `SourceImage`, as columns."""
        entries = self.entries[start:end]
        place = pa.FixedSizeListArray.from_arrays(pa.array(entries.ravel()), 5).cast(pa.list_(pa.int64()))
        stamp = pa.array([f"crc32:{crc:08x}:{size}" for size, crc in entries[:, 3:].tolist()], pa.string())
        return self.as_images(start, end, pa.repeat(pa.scalar(self.archive), end - start), place, stamp)


class _Directory(io.FileIO):
    """A zip of which `zipfile` finds the directory, and gets no more."""

    content = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; the directory is taken aside."""
        data = super().read(-1 if size is None else size) or b""
        if not data.startswith(RECORD):
            return data
        self.content = data
        return b""


def zip_columns(location: Location) -> ZipColumns | None:
    """List a zip; None where an entry is one that `list_zip` has to look at, refuse or ignore for more than its place.

    Raises:
        DarkroomError: when it contains fewer than two classes, or names two alike and `location` does not say what they are.
    """
    path = location.path
    try:
        with _Directory(path) as file:
            with suppress(zipfile.BadZipFile):  # The directory that it gets is empty.
                zipfile.ZipFile(file).close()
            read = _read(file.content)
            if read is None or not _begins(file.fileno(), read[1][:, 1]):
                return None
    except (OSError, NotImplementedError, ValueError):
        return None
    names, fields = read
    folder = pc.ends_with(names, "/").to_numpy(zero_copy_only=False)
    if not _is_plain(names, fields, folder, path.stat().st_size, location.max_unpacked_bytes):
        return None
    files = pc.filter(names, pa.array(~folder))
    order = pc.sort_indices(files)
    paths = files.take(order)
    if len(paths) > 1 and pc.any(pc.equal(paths[1:], paths[:-1])).as_py():
        return None
    folders = [name.rstrip("/") for name in pc.filter(names, pa.array(folder)).to_pylist()]
    rows, found = place_images(pa.chunked_array([paths]), location, folders, ())
    wanted = np.flatnonzero(~folder)[order.to_numpy()[rows]]
    return ZipColumns(**vars(found), entries=fields[np.ix_(wanted, PLACE)], archive=path.name)


def _read(directory: bytes) -> tuple[pa.Array, Int64s] | None:
    """The names, and flags, offset, method, CRC-32, packed length, length and Unix mode of each entry, int64 [N, 7]."""
    lengths, names, numbers, at = array("i", [0]), bytearray(), array("q"), 0
    while directory[at : at + 4] == RECORD and at + RECORD_BYTES <= len(directory):
        flags, method, crc, packed, size, name, extra, comment, mode, offset = FIELDS.unpack_from(directory, at)
        start = at + RECORD_BYTES
        if FULL in (packed, size, offset):
            packed, size, offset = _wide(directory[start + name : start + name + extra], packed, size, offset)
        names += directory[start : start + name]
        lengths.append(len(names))
        numbers.extend((flags, offset, method, crc, packed, size, mode >> 16))
        at = start + name + extra + comment
    if at != len(directory) or not at or len(names) >= 1 << 31:
        return None
    found = pa.StringArray.from_buffers(len(lengths) - 1, pa.py_buffer(lengths), pa.py_buffer(names))
    try:
        found.validate(full=True)
    except pa.ArrowInvalid:  # not in UTF-8
        return None
    return found, np.frombuffer(numbers, np.int64).reshape(-1, 7)


def _wide(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Packed length, length and offset, those of 32 ones from the extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == ZIP64:
            wide = iter(struct.unpack_from(f"<{min(length, 24) // 8}q", extra, at + 4))
            # In this order, each only where it does not fit.
            size = next(wide, -1) if size == FULL else size
            packed = next(wide, -1) if packed == FULL else packed
            return packed, size, next(wide, -1) if offset == FULL else offset
        at += 4 + length
    return packed, size, offset


def _begins(handle: int, offsets: Int64s) -> bool:
    """Whether the first and the last entry begin where the directory says: something may be written before the zip."""
    return all(os.pread(handle, 4, int(place)) == b"PK\3\4" for place in (offsets.min(), offsets.max()) if place >= 0)


def _is_plain(names: pa.Array, fields: Int64s, folder: Bools, packed_bytes: int, limit: int) -> bool:
    """Whether `list_zip` would take every entry as it is.

    Args:
        names, fields: as `_read` gives them.
        folder: which are folders, by their names.
        packed_bytes: of the whole file.
        limit: `Location.max_unpacked_bytes`.
    """
    flags, offset, method, _, packed, size, mode = fields.T
    kind, total = mode & 0o170000, int(size.sum())
    encoded = (flags & UTF8_FLAG != 0) | pc.string_is_ascii(names).to_numpy(zero_copy_only=False)
    order = np.lexsort((packed, offset))
    ends = (offset + 30 + pc.binary_length(names).to_numpy() + packed)[order]
    return bool(
        encoded.all()
        and not (flags & 1).any()
        and not pc.any(pc.match_substring_regex(names, UNUSUAL)).as_py()
        and np.isin(kind[~folder], (0, stat.S_IFREG)).all()
        and np.isin(kind[folder], (0, stat.S_IFDIR)).all()
        and np.isin(method[~folder], READABLE).all()
        and (fields[:, 1:] >= 0).all()
        and (size <= MAX_IMAGE_BYTES).all()
        and not size[folder].any()
        and total <= min(limit, most_unpacked(packed_bytes))
        and (ends[:-1] <= offset[order][1:]).all()
    )
