"""Images in a zip file, read where they lie: nothing is unpacked."""

import stat
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from darkroom.errors import DarkroomError
from darkroom.sources.layout import lay_out
from darkroom.sources.source import Listing

# One entry of an archive may not unfold to more than this; no image file is as large.
MAX_ENTRY_BYTES = 1 << 30


def list_zip(path: Path) -> Listing:
    """List a zip of a folder as `list_folder` would list that folder.

    Raises:
        DarkroomError: when `path` is missing or no zip, when it is encrypted, when an entry leaves the archive's folder, is
            a link, stands twice or unfolds to too much, or when it holds fewer than two classes.
    """
    if not path.exists():
        raise DarkroomError(f"there is no file {path}: ingest.path must name the zip that holds the images")
    if path.is_dir():
        raise DarkroomError(f"{path} is a folder, not a zip: set ingest.source=folder, or use make run IMAGES=…")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DarkroomError(f"{path} is not a zip file, or is damaged ({error}): make it again") from None
    entries = {}
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        if fault := _fault(entry):
            raise DarkroomError(f"{path}: the entry {entry.filename!r} {fault}; nothing was read from this archive")
        if entry.filename in entries:
            raise DarkroomError(f"{path}: the entry {entry.filename!r} stands in it twice: make it again")
        entries[entry.filename] = entry
    # Threads share the one open file, and zipfile seeks in it under a lock of its own only while it reads raw bytes.
    lock = threading.Lock()

    def read(name: str) -> bytes:
        with lock:
            try:
                return archive.read(entries[name])
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise OSError(f"damaged in the archive: {error}") from None

    return lay_out(entries, read, str(path))


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry makes the whole archive unfit, or None."""
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or (name.parts and ":" in name.parts[0]):
        return "climbs out of the archive's own folder"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a symbolic link"
    if entry.flag_bits & 0x1:
        return "is encrypted; Darkroom has no password to give"
    if entry.file_size > MAX_ENTRY_BYTES:
        return f"unfolds to {entry.file_size:,} bytes, more than {MAX_ENTRY_BYTES:,}"
    return None
