"""The kinds of source, and where the settings say that one is.

A new kind is a module that makes a `SourceKind`, a line here, and its name in the settings.
"""

import os
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import is_url
from darkroom.settings.ingest import Ingest
from darkroom.sources.bucket import BUCKET
from darkroom.sources.digits import DIGITS
from darkroom.sources.folder import FOLDER
from darkroom.sources.imagenet import IMAGENET
from darkroom.sources.names import url_remedy
from darkroom.sources.source import Location, SourceKind, expand_home
from darkroom.sources.table import TABLE
from darkroom.sources.tar_archive import TAR
from darkroom.sources.torchvision_sets import TORCHVISION_SETS
from darkroom.sources.zip_archive import ZIP

# By name, in the order in which `detect_kind` asks. Tar before zip, whose mark may be anywhere near the end of a file: a tar
# may hold a zip. Any folder is a `folder`.
SOURCE_KINDS: dict[str, SourceKind] = {
    kind.name: kind for kind in (*TORCHVISION_SETS, DIGITS, IMAGENET, TABLE, TAR, ZIP, FOLDER)
}
# What people give for a table or an archive; a spreadsheet is a zip inside.
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
REMEDIES = dict.fromkeys(SPREADSHEETS, "a spreadsheet: save its sheet as CSV in UTF-8, divided by commas")
REMEDIES |= dict.fromkeys((".tsv", ".tab"), "divided by tabs: save it as CSV, divided by commas")
REMEDIES |= dict.fromkeys((".jsonl", ".json"), "no table that is read: save it as CSV with the columns path and label")
REMEDIES |= dict.fromkeys(
    (".7z", ".rar"), "an archive that is not read: unpack it, and give the folder, or a zip or tar of it"
)


def location_of(settings: Ingest) -> Location:
    """The source as the settings of `ingest` name it; a `~` is the home of whoever runs this, and links stay."""
    return Location(
        path=expand_home(settings.path),
        url=settings.path if is_url(settings.path) else None,
        root=expand_home(settings.root) if settings.root else None,
        max_unpacked_bytes=int(settings.max_unpacked_gib * 2**30),
        class_level=None if settings.class_level == "auto" else settings.class_level,
        join_classes=settings.join_classes,
        zip_encoding=settings.zip_encoding,
    )


def source_kind(source: str, location: Location) -> SourceKind:
    """The kind of a source, as `ingest.source` says; a folder may be in an object store.

    Raises:
        DarkroomError: when an archive or a table should be read from an object store.
    """
    if location.url is None or source not in ("folder", "imagenet", "zip", "tar", "table"):
        return SOURCE_KINDS[source]
    if source != "folder":
        raise DarkroomError(
            f"ingest.source is {source}, and {location.url} is in an object store, where only folders of class folders are "
            "read: set ingest.source=folder, or fetch it to this machine first"
        )
    return BUCKET


def detect_kind(path: Path) -> str:
    """What kind of source is at a path, by what is there and not by its name alone, as in `ingest.source`.

    Raises:
        DarkroomError: when nothing is there, or nothing of any kind.
    """
    if not path.exists():
        raise DarkroomError(f"there is no {path}{url_remedy(path)}")
    if not os.access(path, os.R_OK):
        raise DarkroomError(f"{path} can't be read: fix its permissions")
    suffix = path.suffix.lower() if path.is_file() else ""
    found = (
        None if suffix in SPREADSHEETS else next((kind for kind in SOURCE_KINDS.values() if kind.detect(path)), None)
    )
    if found:
        return found.name
    if remedy := REMEDIES.get(suffix):
        raise DarkroomError(f"{path} is {remedy}")
    raise DarkroomError(
        f"{path} is a file, and neither a zip, a tar (plain, gz, bz2, xz, zst), a CSV nor a Parquet table: give one of these, "
        "or a folder of class folders"
    )
