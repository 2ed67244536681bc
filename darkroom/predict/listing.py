"""Which image files a command line names: files, folders, and lists on standard input."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from darkroom.predict.answers import Refusal
from darkroom.sources.clutter import not_an_image
from darkroom.sources.folder import walk

STDIN = "-"


def list_images(names: Iterable[str], stdin: BinaryIO) -> Iterator[Path | Refusal]:
    """Every image that is named, in the order given.

    Args:
        names: files; folders, of which every file counts that ingest would take for an image, sorted; and `-` for a list on
            standard input, one name a line, read as it comes.
        stdin: standard input.

    Returns:
        Paths, and refusals for folders that hold no image. That a file can be read is not looked at.

    Raises:
        DarkroomError: when a folder can't be listed.
    """
    for name in names:
        if name == STDIN:
            lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in stdin)
            yield from list_images((line for line in lines if line and line != STDIN), stdin)
        elif Path(name).is_dir():
            yield from _images_of(Path(name))
        else:
            yield Path(name)


def _images_of(folder: Path) -> Iterator[Path | Refusal]:
    """Hidden files, what systems leave behind, and links to folders are passed over, as at ingest."""
    found = []
    for path in walk(folder)[0]:
        parent, _, name = path.rpartition("/")
        if not_an_image(parent, os.fsencode(name).decode("utf-8", "replace")) is None:
            found.append(path)
    if not found:
        yield Refusal(str(folder), "the folder holds no image")
    for path in sorted(found):
        yield folder / path
