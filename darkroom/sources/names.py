"""What names of files may be, and how names are listed: junk files, bytes that are no UTF-8, classes with their counts."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count, printable
from darkroom.sources.source import Ignored

MOST_CHARACTERS = 80
SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}
# Synology's @eaDir contains small copies of the pictures beside it, which would otherwise be taken for a class.
SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def junk_reason(folder: str, name: str) -> str | None:
    """Why a file in a folder (both as text, with `/`) can't count as an image, or None."""
    if name.startswith(".") or folder.startswith(".") or "/." in folder:
        return "hidden"
    if name.lower() in SYSTEM_FILES or not SYSTEM_FOLDERS.isdisjoint(folder.lower().split("/")):
        return "left by the system"
    if not (name.isascii() and folder.isascii()) and as_utf8(f"{folder}/{name}") != f"{folder}/{name}":
        return "its name is not in UTF-8: rename it"
    return None


def as_utf8(path: str) -> str:
    r"""A path that can be written anywhere: bytes that are not UTF-8 as `\xe9`."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def url_remedy(path: Path) -> str:
    """What to add to a message about a path that is not there where it is a URL, of which a Path keeps one slash."""
    is_url = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path))
    return "; this is a URL, and only files are read: fetch it first" if is_url else ""


def describe_names(names: Sequence[str]) -> str:
    """The first five of some names, and how many more there are."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(map(_short, names[:5])) + more


def describe_classes(counts: Mapping[str, int]) -> str:
    """Classes with their numbers of images, in the order given; of more than twelve, the first five and the last five."""
    each = [f"{_short(name)} ({number:,})" for name, number in counts.items()]
    return ", ".join(each if len(each) <= 12 else [*each[:5], f"… {len(each) - 10:,} more …", *each[-5:]])


def _short(name: str) -> str:
    """A name for a line with others: damaged tables have names of thousands of characters."""
    return printable(name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 1]}…")


def require_classes(
    classes: Sequence[str], paths: list[str], images: int, ignored: Sequence[Ignored], where: str
) -> None:
    """Stop where class folders give fewer than two classes.

    Args:
        classes: their names.
        paths: of all files that were not ignored for what they are.
        images: how many files are in class folders.
        ignored: those that do not count.
        where: the source.

    Raises:
        DarkroomError: saying what to do.
    """
    if len(classes) < 2 and paths and all("\\" in path for path in paths):
        raise DarkroomError(
            f"{where} has names that hold \\, as {paths[0]!r}, where / should divide folders and files: they were made on "
            "Windows and not unpacked as such; pack or copy the folder again with / in the names"
        )
    if not classes:
        raise DarkroomError(
            f"{where} contains no class folders with files in them ({_elsewhere(ignored)}): "
            "put the images of each class in a folder that has the class's name, or name a table of path,label"
        )
    if len(classes) == 1:
        raise DarkroomError(
            f"{where} contains only one class, {classes[0]!r}, with {images} files ({_elsewhere(ignored)}): a classifier needs "
            "two or more"
        )


def _elsewhere(ignored: Sequence[Ignored]) -> str:
    """How many files do not count, and the most frequent reason."""
    number = f"{count(len(ignored), 'file')} elsewhere"
    for reason, times in Counter(one.reason for one in ignored).most_common(1):
        first = next(one.path for one in ignored if one.reason == reason)
        return f"{number}, {times:,} of them {printable(reason)}, as {printable(first)}"
    return number
