"""The directory of a zip, read in blocks as columns, without an object for each entry."""

import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darkroom.runtime.arrays import Int64s
from darkroom.runtime.files import file_hash
from darkroom.sources.zip_names import RECORD, RECORD_BYTES

# Bytes of the directory that are looked at together, some 25,000 entries.
BLOCK = 2 << 20
# APPNOTE.TXT 4.3.12.
HEADER = np.dtype(
    {
        "names": ["flags", "method", "crc", "packed", "size", "name", "extra", "comment", "mode", "offset"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u4", "<u2", "<u2", "<u2", "<u2", "<u4"],
        "offsets": [8, 10, 16, 20, 24, 28, 30, 32, 40, 42],
        "itemsize": RECORD_BYTES,
    }
)
# What is kept of an entry: the offset of its header, its packed length, its length, its CRC-32, and how it is packed.
ENTRY = np.dtype([("offset", "<i8"), ("packed", "<i8"), ("size", "<i8"), ("crc", "<u4"), ("method", "<u2")])
# APPNOTE.TXT 4.5.3: the extra field with what does not fit into 32 bits.
ZIP64, FULL = 1, 0xFFFFFFFF


class Block(NamedTuple):
    """Some entries, n of them.

    Attributes:
        names: text [n].
        entries: `ENTRY` [n].
        flags, mode: int64 [n], as the directory has them; of the mode Unix's part.
    """

    names: pa.Array
    entries: npt.NDArray[np.void]
    flags: Int64s
    mode: Int64s


class _End(io.FileIO):
    """A zip of which `zipfile` finds the directory, and reads no more."""

    span = (0, 0)

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; of the directory, which zipfile reads in one go, the place alone is noted."""
        if size is not None and size >= RECORD_BYTES and os.pread(self.fileno(), 4, self.tell()) == RECORD:
            self.span = (self.tell(), size)
            return b""
        return super().read(-1 if size is None else size) or b""


def find_directory(path: Path) -> tuple[int, int] | None:
    """Where the directory of a zip is, and its length; None where there is none that can be found."""
    try:
        with _End(path) as file:
            with suppress(zipfile.BadZipFile):  # The directory that it gets is empty.
                zipfile.ZipFile(file).close()
            return file.span if file.span[1] else None
    except (OSError, NotImplementedError, ValueError):
        return None


def zip_hash(path: Path) -> str:
    """SHA-256 of the directory of a zip, which has the CRC-32 of each entry; of the whole file where it can't be found.

    A look at all bytes of a file of 100 GB, for an image that was added, would take minutes.

    Raises:
        OSError: when it can't be read.
    """
    if (span := find_directory(path)) is None:
        return file_hash(path)
    digest = hashlib.sha256()
    for content in _pieces(path, span):
        digest.update(content)
    return digest.hexdigest()


def _pieces(path: Path, span: tuple[int, int]) -> Iterator[bytes]:
    """The bytes of a directory, a block at a time."""
    with path.open("rb") as file:
        file.seek(span[0])
        left = span[1]
        while left:
            content = file.read(min(BLOCK, left))
            if not content:
                raise OSError(f"{path} ends in its directory")
            left -= len(content)
            yield content


def read_blocks(path: Path, span: tuple[int, int]) -> Iterator[Block | None]:
    """The entries of a directory; None where there is something else than an entry.

    Raises:
        OSError: when it can't be read.
    """
    rest = b""
    for content in _pieces(path, span):
        block, used = _read(rest + content)
        rest = (rest + content)[used:]
        yield block
        if block is None:
            return
    if rest:
        yield None


def _read(content: bytes) -> tuple[Block | None, int]:
    """The whole entries at the beginning of some bytes, and how many bytes they have."""
    data = np.frombuffer(content, np.uint8)
    starts = np.flatnonzero(data[: max(0, len(data) - RECORD_BYTES + 1)] == RECORD[0])
    for place in range(1, 4):
        starts = starts[data[starts + place] == RECORD[place]]
    header = data[starts[:, None] + np.arange(RECORD_BYTES)].reshape(-1).view(HEADER)
    lengths = [header[name].astype(np.int64) for name in ("name", "extra", "comment")]
    ends = starts + RECORD_BYTES + sum(lengths)
    chain = _chain(starts, ends, len(data))
    if chain is None:
        return None, 0
    starts, ends, header = starts[chain], ends[chain], header[chain]
    bounds = np.stack([starts, starts + RECORD_BYTES, starts + RECORD_BYTES + lengths[0][chain]], 1)
    # A name, what is before the next one, a name, …
    offsets = np.append(bounds[:, 1:].ravel(), 0).astype(np.int32)
    offsets[-1] = ends[-1] if len(ends) else 0
    names = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(content))
    names = names.take(pa.array(np.arange(0, len(offsets) - 1, 2)))
    try:
        names.validate(full=True)
    except pa.ArrowInvalid:  # not in UTF-8
        return None, 0
    entries = np.empty(len(starts), ENTRY)
    for name in ENTRY.names or ():
        entries[name] = header[name]
    wide = (header["packed"] == FULL) | (header["size"] == FULL) | (header["offset"] == FULL)
    for row in np.flatnonzero(wide).tolist():
        extra = content[bounds[row, 2] : bounds[row, 2] + header["extra"][row]]
        packed, size, offset = _wide(extra, *(int(header[name][row]) for name in ("packed", "size", "offset")))
        entries["packed"][row], entries["size"][row], entries["offset"][row] = packed, size, offset
    used = int(ends[-1]) if len(ends) else 0
    return Block(names, entries, header["flags"].astype(np.int64), header["mode"].astype(np.int64)), used


def _chain(starts: Int64s, ends: Int64s, length: int) -> Int64s | None:
    """Which of the places that look like entries are entries, the whole ones, one behind the other; None where none begins.

    Args:
        starts, ends: of these places, int64 [n].
        length: of all bytes.
    """
    if not len(starts):
        return np.empty(0, np.int64) if length < RECORD_BYTES else None
    if starts[0]:
        return None
    found = np.arange(len(starts))
    if (ends[:-1] != starts[1:]).any():  # A name or a number looks like the mark of an entry.
        at, chain, places = 0, list[int](), dict(zip(starts.tolist(), range(len(starts)), strict=True))
        while at in places:
            chain.append(places[at])
            at = int(ends[places[at]])
        if at + RECORD_BYTES <= length:
            return None
        found = np.array(chain)
    return found[ends[found] <= length]


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
