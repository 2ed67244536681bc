"""Archives: entries that are refused whole when one is unfit, else laid out as the folder would be; and unpacking."""

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any, NoReturn

import zstandard

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.layout import lay_out
from darkroom.sources.names import as_utf8, url_remedy
from darkroom.sources.source import Ignored, Listing, Location, SourceImage

# A backslash separates on Windows, where it climbs as a slash does.
CLIMBS = re.compile(r"(^|[/\\])\.\.([/\\]|$)")
ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:([/\\]|$)")
NO_PLAIN_FILES = {
    stat.S_IFLNK: "a link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
# Photographs pack to nearly their own size, blank pages and masks to a hundredth: deflate can reach 1,032.
MOST_RATIO = 200
RATIO_FROM_BYTES = 1 << 30
UNPACKING_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def plain_name(name: str) -> str:
    """An entry's name without the `./` and doubled slashes that some programs write; folders end in `/`."""
    if "./" not in name and "//" not in name:
        return name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    start, end = "/" if name.startswith("/") else "", "/" if name.endswith("/") and parts else ""
    return start + "/".join(parts) + end


def most_unpacked(packed: int) -> int:
    """To how many bytes an archive of so many may unpack that was not made to fill disks."""
    return max(RATIO_FROM_BYTES, MOST_RATIO * packed)


class Entries:
    """Collects the entries of one archive as they are met, and stops at the first that is unfit."""

    def __init__(self, location: Location) -> None:
        self.archive = location.path
        self._limit = location.max_unpacked_bytes
        self._class_level = location.class_level
        self._total = 0
        self._files: dict[str, tuple[int, ...]] = {}
        self._folders: set[str] = set()
        self._ignored: list[Ignored] = []
        self._packed = location.path.stat().st_size

    def refuse(self, name: str, fault: str) -> NoReturn:
        """Raise the DarkroomError that an entry makes the whole archive unfit."""
        raise DarkroomError(f"{self.archive}: the entry {name!r} {fault}; nothing was taken from this archive")

    def check_place(self, name: str) -> None:
        """Refuse a name that is absolute, or climbs out of the archive's own folder."""
        if (".." in name and CLIMBS.search(name)) or ABSOLUTE.match(name):
            self.refuse(name, "climbs out of the archive's own folder")

    def add_folder(self, name: str, size: int) -> None:
        """Add a folder, unless its name is unfit; where it has bytes of its own it is ignored, by name."""
        self.check_place(name)
        if size:
            self.ignore(name, f"a folder by its name, with {size:,} bytes in it")
        else:
            self._folders.add(name.rstrip("/"))

    def ignores(self, name: str, size: int) -> bool:
        """Whether an entry can't be a file for its name alone; it is ignored, by name."""
        if "\0" in name:
            self.ignore(name, f"a zero byte in its name ({size:,} bytes)")
        return "\0" in name

    def ignore(self, name: str, reason: str) -> None:
        """Note an entry that is no image, and why."""
        self._ignored.append(Ignored(as_utf8(name).replace("\0", "\\0") or "(no name)", reason))

    def check_file(self, name: str, kind: int, size: int) -> None:
        """Refuse what is no plain file, leaves the archive, is there twice or is too large.

        Args:
            name: in plain form.
            kind: the file type bits of its Unix mode, 0 where the archive has none.
            size: bytes, unpacked.
        """
        self.check_place(name)
        if kind in NO_PLAIN_FILES:
            self.refuse(
                name,
                f"is {NO_PLAIN_FILES[kind]}, and only files and folders are taken: pack the files themselves (tar -h)",
            )
        if not 0 <= size <= MAX_IMAGE_BYTES:
            self.refuse(name, f"unpacks to {size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
        if name in self._files:
            self.refuse(name, "is in it twice: make the archive again")

    def count(self, size: int) -> None:
        """Add to what the archive unpacks to.

        Raises:
            DarkroomError: when that is more than allowed.
        """
        self._total += size
        if self._total > most_unpacked(self._packed):
            raise DarkroomError(
                f"{self.archive} has {self._packed:,} bytes and unpacks to more than {MOST_RATIO} times as many, as archives "
                "do that are made to fill disks: nothing was taken from it; if you trust it, unpack it and give the folder"
            )
        if self._total > self._limit:
            raise DarkroomError(
                f"{self.archive} unpacks to more than ingest.max_unpacked_gib, {self._limit / (1 << 30):g} GiB: nothing was "
                "taken from it; raise the limit if you trust this archive"
            )

    def add(self, name: str, size: int, crc: int, place: tuple[int, ...]) -> None:
        """Add a checked file of so many bytes with this CRC-32; `place` is what its reader needs beside these two."""
        self._files[name] = (*place, size, crc)

    def listing(self) -> Listing:
        """All of it, as `list_folder` would list the folder that was packed.

        Each image's place is that of `add`, followed by length and CRC-32.

        Raises:
            DarkroomError: when it contains fewer than two classes.
        """
        layout = lay_out(self._files, str(self.archive), self._folders, self._ignored, self._class_level)
        images = []
        for path, name, label, split in layout.images:
            *_, size, crc = place = self._files[path]
            images.append(SourceImage(name, label, split, self.archive.name, place, f"crc32:{crc:08x}:{size}"))
        return Listing(layout.classes, images, layout.ignored, [self.archive.name])


def require_file(path: Path, kind: str) -> None:
    """Raise a DarkroomError where there is no such file, or it may not be read; `kind` as in `ingest.source`."""
    if path.is_dir():
        raise DarkroomError(f"{path} is a folder, not a {kind}: set ingest.source=folder, or use make run IMAGES=…")
    if not path.exists():
        raise DarkroomError(
            f"there is no file {path}: ingest.path must name the {kind} that contains the images{url_remedy(path)}"
        )
    if not os.access(path, os.R_OK):
        raise DarkroomError(f"{path} can't be read: fix its permissions")


def open_unpacked(file: IO[bytes]) -> tuple[Any, bool]:
    """What a file, open at its start, unpacks to, by its first bytes; and whether it is compressed at all."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file), True
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file), True
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file), True
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), True
    return file, False


def scratch_file(needed: int, source: Path) -> IO[bytes]:
    """A temporary file that has no name, and so goes with the process however that ends.

    Args:
        needed: bytes that will be written to it.
        source: what they are from, for the message.

    Raises:
        DarkroomError: when there is no room for them.
    """
    scratch = Path(tempfile.gettempdir())
    if (free := shutil.disk_usage(scratch).free) < needed:
        raise DarkroomError(
            f"{source} unpacks to {needed / (1 << 30):.1f} GiB, and {scratch} has room for {free / (1 << 30):.1f} GiB: set "
            "TMPDIR to a folder with more room, or unpack the images to class folders and set ingest.source=folder"
        )
    return tempfile.TemporaryFile()
