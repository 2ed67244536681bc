"""Images in a folder of the user's, which is only ever read."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.folder_columns import list_columns, no_file, require_folder, walk_files
from darkroom.sources.names import as_utf8
from darkroom.sources.source import Ignored, Listing, Location, Reader, SourceImage, SourceKind, files_by_listing

# No image file is as large; an entry of an archive may not unpack to more either. Bytes.
MAX_IMAGE_BYTES = 1 << 30


def list_folder(location: Location) -> Listing:
    """List a folder of class folders, or one of train/, val/ and test/ that hold class folders.

    Links to folders are not followed, and are among the ignored, as are pipes, sockets and devices. A link to a file is that
    file; one that leads nowhere, or in a circle, is an image that can't be read.

    Raises:
        DarkroomError: when the path is missing, not a folder, can't be listed, or contains fewer than two classes.
    """
    require_folder(location.path)
    return list_columns(location, walk_files(location.path)).listing()


def walk(root: Path) -> tuple[list[str], list[str], list[Ignored]]:
    """Every file and every folder below a folder, in no order, relative to it with `/`; and what is neither.

    Raises:
        DarkroomError: when a folder can't be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    others: list[Ignored] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(os.path.join(root, prefix)) as entries:  # noqa: PTH118 (a Path for each folder is slow)
                for entry in entries:
                    if reason := no_file(entry):
                        others.append(Ignored(as_utf8(prefix + entry.name), reason))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(prefix + entry.name)
                        waiting.append(f"{prefix}{entry.name}/")
                    else:
                        files.append(prefix + entry.name)
        except OSError as error:
            raise DarkroomError(
                f"the folder {printable(as_utf8(str(root / prefix)))} can't be listed: {error.strerror}; fix its permissions"
            ) from None
    return files, folders, others


def read_image_file(file: Path) -> bytes:
    """The bytes of a file that should be an image.

    Raises:
        OSError: when it can't be read, when it is no regular file (a pipe would wait and a device give bytes for ever), or
            when it is larger than 1 GiB.
    """
    status = os.stat(file)  # noqa: PTH116 (a third of the time of Path.stat)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
    if status.st_size > MAX_IMAGE_BYTES:
        raise OSError(f"{status.st_size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
    return file.read_bytes()


def read_files(location: Location, images: Sequence[SourceImage]) -> Reader:
    """Read images that are files of their own."""
    base = location.base

    def read(image: SourceImage) -> bytes:
        return read_image_file(base / (image.file or ""))

    return read


FOLDER = SourceKind("folder", detect=Path.is_dir, files=files_by_listing, list=list_folder, reader=read_files)
