"""Images in a tar file, plain or compressed: checked in one pass, then read by offset."""

import os
import tempfile
import threading
import zlib
from functools import partial
from pathlib import Path
from typing import IO

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import Entries, require_file
from darkroom.sources.compressed import UNFOLDING_ERRORS, open_unpacked
from darkroom.sources.source import Listing
from darkroom.sources.tar_stream import READ_BYTES, Damaged, TarStream
from darkroom.sources.unfolding import scratch_file


def list_tar(path: Path, max_unpacked_bytes: int) -> Listing:
    """List a tar (plain, gz, bz2, xz, zst) of a folder as `list_folder` would list that folder.

    The whole stream is read once, for names, lengths and checksums, and nothing is written. A compressed tar has no random
    access: when the first image of one is read, it is unfolded to one temporary file, which has no name and goes with the
    process.

    Raises:
        DarkroomError: when `path` is missing or no tar, or is cut short; when an entry leaves the archive's folder, is a link
            or a device, stands twice or is too large; when the stream unfolds to too much; when it holds fewer than two
            classes.
    """
    require_file(path, "tar")
    entries = Entries(path, max_unpacked_bytes)
    places = {}
    try:
        with path.open("rb", buffering=READ_BYTES) as file:
            unpacked, compressed = open_unpacked(file)
            stream = TarStream(unpacked, entries)
            for name, offset, size, crc in stream.files():
                entries.add(name, size, crc)
                places[name] = offset, size, crc
    except Damaged as error:
        raise DarkroomError(f"{path} is not a tar file, or is cut short or damaged ({error}): make it again") from None
    reader = TarReader(path, stream.bytes_read if compressed else None)
    return entries.listing({name: partial(reader.read, *place) for name, place in places.items()})


class TarReader:
    """Reads files of one tar by offset, from any thread."""

    def __init__(self, path: Path, unpacked_bytes: int | None) -> None:
        """`unpacked_bytes`: what a compressed tar unfolds to, None for a plain one, which is read in place."""
        self._path = path
        self._unpacked_bytes = unpacked_bytes
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, offset: int, size: int, crc: int) -> bytes:
        """The bytes of a file, checked against its CRC-32.

        Raises:
            OSError: when they are not the bytes that were listed.
            DarkroomError: when there is no room to unfold the archive.
        """
        data = os.pread(self._opened().fileno(), size, offset)
        if len(data) != size or zlib.crc32(data) != crc:
            raise OSError("the archive has changed since it was listed")
        return data

    def _opened(self) -> IO[bytes]:
        with self._lock:
            if self._file is None:
                self._file = (
                    self._path.open("rb") if self._unpacked_bytes is None else self._unfold(self._unpacked_bytes)
                )
            return self._file

    def _unfold(self, needed: int) -> IO[bytes]:
        file = scratch_file(needed, self._path)
        try:
            with self._path.open("rb") as packed:
                unpacked, _ = open_unpacked(packed)
                while needed and (data := unpacked.read(min(READ_BYTES, needed))):
                    file.write(data)
                    needed -= len(data)
            file.flush()
        except UNFOLDING_ERRORS as error:
            file.close()
            raise DarkroomError(
                f"{self._path} can't be unfolded to {tempfile.gettempdir()}: {error}; run it again"
            ) from None
        return file
