"""Images in a folder of the user's, which is only ever read."""

from collections.abc import Sequence
from pathlib import Path

from darkroom.sources.folder_columns import list_columns, require_folder, walk_files
from darkroom.sources.image_files import read_image_file
from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind, files_by_listing


def list_folder(location: Location) -> Listing:
    """List a folder of class folders, or one of train/, val/ and test/ that hold class folders.

    Links to folders are not followed, and are among the ignored, as are pipes, sockets and devices. A link to a file is that
    file; one that leads nowhere, or in a circle, is an image that can't be read.

    Raises:
        DarkroomError: when the path is missing, not a folder, can't be listed, or contains fewer than two classes.
    """
    require_folder(location.path)
    return list_columns(location, walk_files(location.path)).listing()


def read_files(location: Location, images: Sequence[SourceImage]) -> Reader:
    """Read images that are files of their own."""
    base = location.base

    def read(image: SourceImage) -> bytes:
        return read_image_file(base / (image.file or ""))

    return read


FOLDER = SourceKind("folder", detect=Path.is_dir, files=files_by_listing, list=list_folder, reader=read_files)
