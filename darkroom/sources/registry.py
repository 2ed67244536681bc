"""The kinds of source."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.archive import open_unpacked
from darkroom.sources.imagenet import looks_like_imagenet
from darkroom.sources.layout import PICTURE_SUFFIXES
from darkroom.sources.source import Listing


def list_source(kind: str, path: Path, root: Path | None, max_unpacked_bytes: int) -> Listing:
    """List a source.

    Args:
        kind: as in `ingest.source`.
        path: where the images are; the data sets that have a name do not read it.
        root: a copy of such a data set, as torchvision lays it out; without one it is fetched. The other kinds do not read it.
        max_unpacked_bytes: an archive, or a table that holds images, that would unfold to more is refused.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    match kind:
        case "mnist" | "fashion-mnist" | "cifar10" | "cifar100":
            from darkroom.sources.torchvision_sets import list_torchvision_set

            return list_torchvision_set(kind, root)
        case "digits":
            from darkroom.sources.digits import list_digits

            return list_digits()
        case "folder":
            from darkroom.sources.folder import list_folder

            return list_folder(path)
        case "imagenet":
            from darkroom.sources.imagenet import list_imagenet

            return list_imagenet(path)
        case "zip":
            from darkroom.sources.zip_archive import list_zip

            return list_zip(path, max_unpacked_bytes)
        case "tar":
            from darkroom.sources.tar_archive import list_tar

            return list_tar(path, max_unpacked_bytes)
        case "table":
            from darkroom.sources.table import list_table

            return list_table(path, max_unpacked_bytes)
    raise ValueError(f"there is no kind of source {kind!r}")


def source_files(kind: str, path: Path, root: Path | None) -> list[tuple[str, str]]:
    """Every file that a source consists of, by a name that is unique within it, sorted by name.

    For an archive, and for a table that holds the images, that is the file itself (or the files), which is not opened beyond
    what tells the two kinds of table apart. For a folder and for a table of paths it is each image, under the name it has
    in the listing, and the files beside them that the listing was made from, there or not. The data sets that have a name
    consist of none. Places are text: a million Path objects take eight seconds to make.

    Args:
        kind, path, root: as in `list_source`.

    Raises:
        DarkroomError: when a folder or a table can't be listed.
    """
    match kind:
        case "folder":
            from darkroom.sources.folder import files_of_folder

            files = files_of_folder(path)
        case "imagenet":
            files = _listed_files(list_source(kind, path, root, 0))
        case "zip" | "tar":
            files = {path.name: str(path)}
        case "table":
            from darkroom.sources.table import tables_alone

            held = tables_alone(path)
            files = _listed_files(list_source(kind, path, root, 0)) if held is None else _as_text(held)
        case _:
            files = {}
    return sorted(files.items())


def _listed_files(listing: Listing) -> dict[str, str]:
    files = {file.name: file for file in listing.inputs}
    return _as_text(files | {image.path: image.file for image in listing.images if image.file is not None})


def _as_text(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(file) for name, file in files.items()}


# Where the header of a tar says what it is, since 1988; older ones go by their suffix.
TAR_MAGIC = slice(257, 262)


def detect_kind(path: Path) -> str:
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
