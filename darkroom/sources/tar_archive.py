"""Images in a tar file, plain or compressed (ustar, pax, GNU's, V7): checked in one pass, then read by offset."""

import os
import re
import stat
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import UNFOLDING_ERRORS, Entries, open_unpacked, plain_name, require_file, scratch_file
from darkroom.sources.source import Listing, Location, SourceImage, SourceKind

BLOCK = 512
READ_BYTES = 1 << 20
# A name or a pax header longer than this is no name.
MAX_HEADER_BYTES = 1 << 20

FILE_TYPES = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.CONTTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.LNKTYPE: stat.S_IFLNK,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


# Where the header of a tar says what it is, since 1988; older ones go by their suffix.
TAR_MAGIC = slice(257, 262)


def list_tar(location: Location) -> Listing:
    """List a tar (plain, gz, bz2, xz, zst) of a folder as `list_folder` would list that folder.

    The whole stream is read once, for names, lengths and checksums, and nothing is written.

    Raises:
        DarkroomError: when the path is missing or no tar, or is cut short; when an entry leaves the archive's folder, is a link
            or a device, stands twice or is too large; when the stream unfolds to too much; when it holds fewer than two
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

    A compressed tar has no random access: when the first image of one is read, it is unfolded to one temporary file, which has
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
            image: its place is the file's offset in the unfolded tar, its length and its CRC-32.

        Raises:
            OSError: when they are not the bytes that were listed.
            DarkroomError: when there is no room to unfold the archive.
        """
        offset, size, crc = image.place or ()
        with self._lock:
            file = self._file
        data = os.pread(file.fileno(), size, offset)
        if len(data) != size or zlib.crc32(data) != crc:
            raise OSError("the archive has changed since it was listed")
        return data

    @cached_property
    def _file(self) -> IO[bytes]:
        """The tar itself, or what it unfolds to as far as images are in it."""
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
            except UNFOLDING_ERRORS as error:
                file.close()
                raise DarkroomError(
                    f"{self._path} can't be unfolded to {tempfile.gettempdir()}: {error}; run it again"
                ) from None
        return file


class Damaged(Exception):
    """A tar, or what compresses it, that can't be read to its end."""


class TarStream:
    """Reads a tar from front to back, once.

    Attributes:
        bytes_read: how many the stream has given so far.
    """

    def __init__(self, unpacked: Any, entries: Entries) -> None:
        self._unpacked = unpacked
        self._entries = entries
        self.bytes_read = 0

    def files(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, offset in the unfolded stream, length and CRC-32 of each file, in the order of the stream.

        Raises:
            Damaged: when the stream ends before the tar does, or makes no sense.
            DarkroomError: when an entry is unfit.
        """
        pax: dict[str, str] = {}
        long_name: str | None = None
        while (block := self._read(BLOCK)) != bytes(BLOCK):
            header = _parse(block)
            if header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                pax = _pax_records(self._small(header))
                continue
            if header.type == tarfile.XGLTYPE:
                self._small(header)
                continue
            if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
                text = self._small(header).partition(b"\0")[0].decode("utf-8", "surrogateescape")
                long_name = text if header.type == tarfile.GNUTYPE_LONGNAME else long_name
                continue
            name = plain_name(pax.get("path", long_name or header.name))
            size = _size(pax.get("size"), header.size)
            if any(key.startswith("GNU.sparse") for key in pax) or header.type not in FILE_TYPES:
                self._entries.refuse(name, f"is of tar's type {header.type!r} or sparse: pack plain files")
            pax, long_name = {}, None
            kind = FILE_TYPES[header.type]
            if kind == stat.S_IFDIR or name.endswith("/") or not name:
                self._entries.add_folder(name)
                self._checksum(size)
                continue
            self._entries.check_file(name, kind, size)
            offset = self.bytes_read
            yield name, offset, size, self._checksum(size)
        self._require_nothing_more()

    def _read(self, count: int) -> bytes:
        """Exactly so many bytes of the stream."""
        data = self._some(count)
        while len(data) < count:
            more = self._some(count - len(data))
            if not more:
                raise Damaged("it ends too early")
            data += more
        return data

    def _some(self, count: int) -> bytes:
        try:
            data: bytes = self._unpacked.read(count)
        except UNFOLDING_ERRORS as error:
            raise Damaged(str(error)) from None
        self.bytes_read += len(data)
        self._entries.count(len(data))
        return data

    def _checksum(self, size: int) -> int:
        """The CRC-32 of the next so many bytes; what pads them to whole blocks is passed over."""
        crc, left = 0, size
        while left:
            data = self._read(min(left, READ_BYTES))
            crc = zlib.crc32(data, crc)
            left -= len(data)
        self._read(-size % BLOCK)
        return crc

    def _small(self, header: tarfile.TarInfo) -> bytes:
        """What belongs to a header that says something about the next one."""
        if not 0 <= header.size <= MAX_HEADER_BYTES:
            raise Damaged(f"a header of {header.size:,} bytes")
        content = self._read(header.size)
        self._read(-header.size % BLOCK)
        return content

    def _require_nothing_more(self) -> None:
        """Read on after the end mark, where only padding may be; this also checks what the compression knows of its end."""
        while data := self._some(READ_BYTES):
            if data.count(0) != len(data):
                raise Damaged("there is more after its end mark, as in archives that were joined")


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise Damaged(str(error)) from None


def _pax_records(content: bytes) -> dict[str, str]:
    """The records `<length> <key>=<value>` of a pax header (POSIX.1-2001)."""
    records = {}
    at = 0
    while at < len(content):
        length, blank, _ = content[at : at + 8].partition(b" ")  # MAX_HEADER_BYTES has seven digits
        if not blank or not length.isdigit() or int(length) <= len(length) + 1:
            raise Damaged("a pax header that makes no sense")
        record = content[at + len(length) + 1 : at + int(length) - 1]
        key, _, value = record.decode("utf-8", "surrogateescape").partition("=")
        records[key] = value
        at += int(length)
    return records


def _size(pax: str | None, header: int) -> int:
    """A file's length: pax gives those of 8 GiB and more, which the header can't."""
    if pax is not None and not re.fullmatch("[0-9]{1,18}", pax):
        raise Damaged(f"a file of {pax!r} bytes")
    return header if pax is None else int(pax)


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
