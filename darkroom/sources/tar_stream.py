"""The files of a tar as its stream goes by: POSIX ustar and pax, GNU's long names, old V7."""

import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

from darkroom.sources.archive import UNPACKING_ERRORS, Entries, plain_name

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
        """Name, offset in the unpacked stream, length and CRC-32 of each file, in the order of the stream.

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
            if self._entries.ignores(name, size):
                self._checksum(size)
                continue
            if kind == stat.S_IFDIR or name.endswith("/") or not name:
                self._entries.add_folder(name, size)
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
        except UNPACKING_ERRORS as error:
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
