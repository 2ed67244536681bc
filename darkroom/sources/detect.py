"""What kind of source lies at a path, by what is there and not by its name alone."""

import os
import zipfile
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.compressed import open_unpacked
from darkroom.sources.imagenet import looks_like_imagenet
from darkroom.sources.layout import PICTURE_SUFFIXES

# Where the header of a tar says what it is, since 1988; older ones go by their suffix.
TAR_MAGIC = slice(257, 262)


def kind_of(path: Path) -> str:
    """`folder`, `imagenet`, `zip`, `tar` or `table`, as in `ingest.source`.

    Raises:
        DarkroomError: when nothing is there, or a file that is none of these.
    """
    if not path.exists():
        raise DarkroomError(f"there is no {path}")
    if not os.access(path, os.R_OK):
        raise DarkroomError(f"{path} can't be read: mend its permissions")
    if path.is_dir():
        return "imagenet" if looks_like_imagenet(path) else "table" if _holds_tables(path) else "folder"
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        is_compressed = open_unpacked(file)[1]
    if start.startswith(b"PAR1") or path.suffix.lower() == ".csv":
        return "table"
    # Before zip, whose mark may stand anywhere near the end of a file: a tar may hold a zip.
    if is_compressed or start[TAR_MAGIC] == b"ustar" or path.suffix.lower() == ".tar":
        return "tar"
    # A zip that was cut short has lost its directory, and is named as such when it is listed.
    if zipfile.is_zipfile(path) or start.startswith(b"PK\3\4"):
        return "zip"
    raise DarkroomError(
        f"{path} is a file, and neither a zip, a tar (plain, gz, bz2, xz, zst), a CSV nor a Parquet table: give one of these, "
        "or a folder of class folders"
    )


def _holds_tables(folder: Path) -> bool:
    """Whether there are Parquet files in a folder or the folders in it, and no pictures beside them."""
    tables = [*folder.glob("*.parquet"), *folder.glob("*/*.parquet")]
    beside = {file.suffix.lower() for parent in {table.parent for table in tables} for file in parent.iterdir()}
    return bool(tables) and beside.isdisjoint(PICTURE_SUFFIXES)
