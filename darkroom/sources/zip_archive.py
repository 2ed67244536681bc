"""Images in a zip file, read where they lie: nothing is unpacked."""

import contextlib
import os
import stat
import struct
import threading
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import IO

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import Entries, plain_name, require_file
from darkroom.sources.source import Listing

# APPNOTE.TXT 4.3.7: 30 bytes, the last four of which say how long the name and the extra field after them are.
LOCAL_HEADER = struct.Struct("<26xHH")
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
MADE_ON_WINDOWS = 0


def list_zip(path: Path, max_unpacked_bytes: int) -> Listing:
    """List a zip of a folder as `list_folder` would list that folder; only its directory is read.

    Raises:
        DarkroomError: when `path` is missing or no zip; when an entry is encrypted, leaves the archive's folder, is a link or
            a device, stands twice or unfolds to too much; when all do together; when it holds fewer than two classes.
    """
    require_file(path, "zip")
    with contextlib.ExitStack() as unless_listed:
        file = unless_listed.enter_context(path.open("rb"))
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
            raise DarkroomError(
                f"{path} is not a zip file, or is cut short or damaged ({error}): make it again"
            ) from None
        listing = _listed(path, max_unpacked_bytes, file, archive)
        # The listing's images are read from it, for as long as there is one.
        unless_listed.pop_all()
        return listing


def _listed(path: Path, max_unpacked_bytes: int, file: IO[bytes], archive: zipfile.ZipFile) -> Listing:
    entries = Entries(path, max_unpacked_bytes)
    reader = ZipReader(file, archive)
    readers = {}
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        name = _name(info)
        if not name or name.endswith("/") or stat.S_ISDIR(kind):
            entries.add_folder(name)
            continue
        entries.check_file(name, kind, info.file_size)
        entries.count(info.file_size)
        if info.flag_bits & 0x1:
            entries.refuse(name, "is encrypted, and Darkroom has no password to give: pack it without one")
        if info.compress_type not in READABLE:
            entries.refuse(name, f"is packed by method {info.compress_type}, which Python can't unfold: pack it anew")
        entries.add(name, info.file_size, info.CRC)
        readers[name] = partial(reader.read, info)
    return entries.listing(readers)


class ZipReader:
    """Reads entries of one open zip, from any thread."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile) -> None:
        self._file = file
        self._archive = archive
        self._lock = threading.Lock()
        self._bytes = os.fstat(file.fileno()).st_size

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """The bytes of an entry, checked against its length and CRC-32.

        Raises:
            OSError: when they are damaged.
        """
        try:
            if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                data = self._unfold(info)
            else:
                # zipfile moves the place in the open file, and unfolds the rarer methods.
                with self._lock:
                    return self._archive.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            raise OSError(f"damaged in the archive: {error}") from None
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise OSError("damaged in the archive: its length or checksum is not the one in the directory")
        return data

    def _unfold(self, info: zipfile.ZipInfo) -> bytes:
        """Read by offset, which needs no lock; never more than the directory promises."""
        handle = self._file.fileno()
        header = os.pread(handle, 30, info.header_offset)
        if header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("there is no entry where the directory says")
        start = info.header_offset + 30 + sum(LOCAL_HEADER.unpack(header))
        if info.compress_size > self._bytes:
            raise zipfile.BadZipFile("the entry is longer than the archive")
        packed = os.pread(handle, info.compress_size, start)
        if info.compress_type == zipfile.ZIP_STORED:
            return packed
        return zlib.decompressobj(-15).decompress(packed, info.file_size + 1)


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name as it was meant.

    Without the flag for UTF-8 a name counts as code page 437; zip programs on Linux and macOS write UTF-8 without it. Some
    on Windows write backslashes.
    """
    name = info.filename
    if not name.isascii() and not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return plain_name(name.replace("\\", "/") if info.create_system == MADE_ON_WINDOWS else name)
