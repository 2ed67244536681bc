"""Files below a folder, and the bytes of one that should be an image; needs nothing that a service lacks."""

import os
import stat
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.names import as_utf8
from darkroom.sources.reading import LINK
from darkroom.sources.source import Ignored

# No image file is as large; an entry of an archive may not unpack to more either. Bytes.
MAX_IMAGE_BYTES = 1 << 30


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


def no_file(entry: os.DirEntry[str], path: str | None = None) -> str | None:
    """What an entry is that can neither be read as a file nor listed as a folder; reading a pipe would wait for ever.

    Args:
        entry: of a folder.
        path: of it, where the folder was listed by a handle.
    """
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
        return None
    if not entry.is_symlink():
        return "a pipe, a socket or a device"
    try:
        if entry.is_dir():
            return LINK
        if entry.is_file() or not os.path.exists(path or entry.path):  # noqa: PTH110
            return None
        return "a link to a pipe, a socket or a device"
    except OSError:
        return None  # a link in a circle: reading it fails


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
