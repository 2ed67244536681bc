"""Images in a zip file, read in place: nothing is unpacked."""

import lzma
import os
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import Entries, plain_name, require_file
from darkroom.sources.source import Listing, Location, SourceImage, SourceKind
from darkroom.sources.zip_columns import READABLE, zip_columns
from darkroom.sources.zip_directory import zip_hash
from darkroom.sources.zip_names import LenientDirectory, read_names

# APPNOTE.TXT 4.3.7: 30 bytes, the last four of which say how long the name and the extra field after them are.
LOCAL_HEADER = struct.Struct("<26xHH")
MADE_ON_WINDOWS = 0


def list_zip(location: Location) -> Listing:
    """List a zip of a folder as `list_folder` would list that folder; only its directory is read.

    Raises:
        DarkroomError: when the path is missing or no zip; when an entry is encrypted, leaves the archive's folder, is a link or
            a device, is there twice or unpacks to too much; when all do together; when it contains fewer than two classes.
    """
    path = location.path
    require_file(path, "zip")
    if (plain := zip_columns(location)) is not None:
        return plain.listing([path.name])
    try:
        with LenientDirectory(path) as file, zipfile.ZipFile(file) as archive:
            infos, wrong = archive.infolist(), file.wrong
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DarkroomError(f"{path} is not a zip file, or is cut short or damaged ({error}): make it again") from None
    entries = Entries(location)
    names = [
        plain_name(name.replace("\\", "/") if info.create_system == MADE_ON_WINDOWS else name)
        for info, name in zip(infos, read_names(infos, wrong, location.zip_encoding, str(path)), strict=True)
    ]
    _refuse_overlaps(infos, names, entries)
    for info, name in zip(infos, names, strict=True):
        kind = stat.S_IFMT(info.external_attr >> 16)
        if entries.ignores(name, info.file_size):
            continue
        if stat.S_ISDIR(kind) and not name.endswith("/") and name:
            entries.ignore(name, f"a folder by its mode and a file by its name ({info.file_size:,} bytes)")
            continue
        if not name or name.endswith("/"):
            entries.add_folder(name, info.file_size)
            continue
        entries.check_file(name, kind, info.file_size)
        entries.count(info.file_size)
        if info.flag_bits & 0x1:
            entries.refuse(name, "is encrypted, and Darkroom has no password to give: pack it without one")
        if info.compress_type not in READABLE:
            entries.refuse(name, f"is packed by method {info.compress_type}, which Python can't unpack: pack it anew")
        place = info.header_offset, info.compress_type, info.compress_size
        entries.add(name, info.file_size, info.CRC, place)
    return entries.listing()


class ZipReader:
    """Reads entries of one open zip, from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._bytes = os.fstat(self._file.fileno()).st_size
        self._lock = threading.Lock()

    def read(self, image: SourceImage) -> bytes:
        """The bytes of an entry, checked against its length and CRC-32.

        Args:
            image: its place is the offset of the entry's header, the method it is packed by, its packed length, its length and
                its CRC-32.

        Raises:
            OSError: when they are damaged.
        """
        offset, method, packed_bytes, length, crc = image.place or ()
        try:
            if method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                data = self._unpack(offset, method, packed_bytes, length)
            else:
                data = self._unpack_rarer(offset)
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            struct.error,
            RuntimeError,
            ValueError,
        ) as error:
            raise OSError(f"damaged in the archive: {error}") from None
        if len(data) != length or zlib.crc32(data) != crc:
            raise OSError("damaged in the archive: its length or checksum is not the one in the directory")
        return data

    def _unpack(self, offset: int, method: int, packed_bytes: int, length: int) -> bytes:
        """Read by offset, which needs no lock; never more than the directory promises."""
        handle = self._file.fileno()
        header = os.pread(handle, 30, offset)
        if header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("there is no entry where the directory says")
        start = offset + 30 + sum(LOCAL_HEADER.unpack(header))
        if packed_bytes > self._bytes:
            raise zipfile.BadZipFile("the entry is longer than the archive")
        packed = os.pread(handle, packed_bytes, start)
        if method == zipfile.ZIP_STORED:
            return packed
        return zlib.decompressobj(-15).decompress(packed, length + 1)

    def _unpack_rarer(self, offset: int) -> bytes:
        """zipfile unpacks the rarer methods, and moves the place in the open file."""
        with self._lock:
            archive, entries = self._directory
            if offset not in entries:  # Bytes were put before the directory: zipfile counts from there.
                raise zipfile.BadZipFile("there is no entry where the directory says")
            try:
                return archive.read(entries[offset])
            except OSError as error:
                if error.errno is None:  # bz2 raises it for damage
                    raise zipfile.BadZipFile(str(error)) from None
                raise

    @cached_property
    def _directory(self) -> tuple[zipfile.ZipFile, dict[int, zipfile.ZipInfo]]:
        file = LenientDirectory(self._file.name)
        archive = zipfile.ZipFile(file)
        file.lenient = False
        return archive, {info.header_offset: info for info in archive.infolist()}


def _is_zip(path: Path) -> bool:
    """By the mark near the end; one that was cut short has lost it, and is refused as such when it is listed."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return zipfile.is_zipfile(path) or file.read(4) == b"PK\3\4"


def _refuse_overlaps(infos: Sequence[zipfile.ZipInfo], names: Sequence[str], entries: Entries) -> None:
    """Refuse entries that share bytes of the file: a few kilobytes can so be made to unpack to terabytes."""
    # The extra field before the bytes is left out: its length is written beside them alone.
    spans = sorted(
        (info.header_offset, info.header_offset + 30 + len(info.orig_filename) + info.compress_size, name)
        for info, name in zip(infos, names, strict=True)
    )
    for (_, end, name), (start, _, other) in pairwise(spans):
        if end > start:
            entries.refuse(other, f"overlaps with {name!r} in the file, as in archives that are made to fill disks")


ZIP = SourceKind(
    "zip",
    detect=_is_zip,
    files=lambda location: [location.path.name],
    list=list_zip,
    reader=lambda location, images: ZipReader(location.path).read,
    hash=zip_hash,
)
