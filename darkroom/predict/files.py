"""Which image files a command line names: files, folders, and lists on standard input."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from darkroom.predict.answers import Refusal
from darkroom.sources.folder import walk
from darkroom.sources.names import junk_reason

STDIN = "-"


def list_images(names: Iterable[str], stdin: BinaryIO) -> Iterator[Path | Refusal]:
    """Every image that is named, in the order given.

    Args:
        names: files; folders, of which every file counts that ingest would take for an image, sorted; and `-` for a list on
            standard input, one name a line, read as it comes.
        stdin: standard input.

    Returns:
        Paths, and refusals for empty names, for folders and lists that hold no image, and for what in a folder is neither a
        file nor a folder: links to folders, which are not followed, pipes and devices. That a file can be read is not looked
        at.

    Raises:
        DarkroomError: when a folder can't be listed.
    """
    for name in names:
        if name == STDIN:
            lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in stdin)
            listed = list_images((line for line in lines if line and line != STDIN), stdin)
            yield next(listed, Refusal(STDIN, "the list on standard input names no image"))
            yield from listed
        elif not name:
            # As a path it would be the current folder, where a shell's variable may have been empty.
            yield Refusal("", "an empty name: give a file, a folder, or - for a list on standard input")
        elif os.path.isdir(name):  # noqa: PTH112 (that of Path fails on a name that is too long)
            yield from _images_of(Path(name))
        else:
            yield Path(name)


def _images_of(folder: Path) -> Iterator[Path | Refusal]:
    """Hidden files and what systems leave behind are passed over, as at ingest."""
    found = []
    paths, _, others = walk(folder)
    for path in paths:
        parent, _, name = path.rpartition("/")
        if junk_reason(parent, os.fsencode(name).decode("utf-8", "replace")) is None:
            found.append(path)
    if not found:
        yield Refusal(str(folder), "the folder holds no image")
    for other in sorted(others, key=lambda other: other.path):
        yield Refusal(str(folder / other.path), other.reason)
    for path in sorted(found):
        yield folder / path
