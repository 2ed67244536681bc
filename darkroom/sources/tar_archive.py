"""Images in a tar file, plain or compressed: checked in one pass, then read by offset."""

import os
import tempfile
import threading
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import UNPACKING_ERRORS, Entries, open_unpacked, require_file, scratch_file
from darkroom.sources.source import Listing, Location, SourceImage, SourceKind
from darkroom.sources.tar_stream import READ_BYTES, Damaged, TarStream

# Where the header of a tar says what it is, since 1988; older ones go by their suffix.
TAR_MAGIC = slice(257, 262)


def list_tar(location: Location) -> Listing:
    """List a tar (plain, gz, bz2, xz, zst) of a folder as `list_folder` would list that folder.

    The whole stream is read once, for names, lengths and checksums, and nothing is written.

    Raises:
        DarkroomError: when the path is missing or no tar, or is cut short; when an entry leaves the archive's folder, is a link
            or a device, is there twice or is too large; when the stream unpacks to too much; when it contains fewer than two
            classes.
    """
    path = location.path
    require_file(path, "tar")
    entries = Entries(location)
    try:
        with path.open("rb", buffering=READ_BYTES) as file:
            for name, offset, size, crc in TarStream(open_unpacked(file)[0], entries).files():
                entries.add(name, size, crc, (offset,))
    except Damaged as error:
        raise DarkroomError(f"{path} is not a tar file, or is cut short or damaged ({error}): make it again") from None
    return entries.listing()


class TarReader:
    """Reads files of one tar by offset, from any thread.

    A compressed tar has no random access: when the first image of one is read, it is unpacked to one temporary file, which has
    no name and goes with the process.
    """

    def __init__(self, path: Path, images: Sequence[SourceImage]) -> None:
        """Args:
        path: the tar.
        images: all that may be read from it.
        """
        self._path = path
        self._end = max((sum((image.place or (0, 0))[:2]) for image in images), default=0)
        self._lock = threading.Lock()

    def read(self, image: SourceImage) -> bytes:
        """The bytes of a file, checked against its CRC-32.

        Args:
            image: its place is the file's offset in the unpacked tar, its length and its CRC-32.

        Raises:
            OSError: when the archive can't be read.
            DarkroomError: when they are not the bytes that were listed, or there is no room to unpack the archive.
        """
        offset, size, crc = image.place or ()
        with self._lock:
            file = self._file
        data = os.pread(file.fileno(), size, offset)
        if len(data) != size or zlib.crc32(data) != crc:
            raise DarkroomError(f"{self._path} changed while it was read: run the line again when nothing writes to it")
        return data

    @cached_property
    def _file(self) -> IO[bytes]:
        """The tar itself, or what it unpacks to as far as images are in it."""
        packed = self._path.open("rb")
        unpacked, compressed = open_unpacked(packed)
        if not compressed:
            return packed
        with packed:
            file = scratch_file(self._end, self._path)
            left = self._end
            try:
                while left and (data := unpacked.read(min(READ_BYTES, left))):
                    file.write(data)
                    left -= len(data)
                file.flush()
            except UNPACKING_ERRORS as error:
                file.close()
                raise DarkroomError(
                    f"{self._path} can't be unpacked to {tempfile.gettempdir()}: {error}; run it again"
                ) from None
        return file


def _is_tar(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        start = file.read(TAR_MAGIC.stop)
        file.seek(0)
        return open_unpacked(file)[1] or start[TAR_MAGIC] == b"ustar" or path.suffix.lower() == ".tar"


TAR = SourceKind(
    "tar",
    detect=_is_tar,
    files=lambda location: [location.path.name],
    list=list_tar,
    reader=lambda location, images: TarReader(location.path, images).read,
)
