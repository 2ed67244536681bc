"""From the arguments of a command line, and lists on standard input, to image files; what is no file has its reason."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.image_files import walk
from darkroom.sources.names import URL, junk_reason

STDIN = "-"
# Bytes of a line of a list: the system's longest path has 4,096. Whatever is longer is no list.
LONGEST_LINE = 1 << 16
BOM = b"\xef\xbb\xbf"
# How something else begins that is sent to standard input.
NO_LISTS = {
    b"\xff\xfe": "it is text in UTF-16: save it in UTF-8, a name a line",
    b"\xfe\xff": "it is text in UTF-16: save it in UTF-8, a name a line",
    b"\xff\xd8\xff": "it is an image: give its path in place of -",
    b"\x89PNG": "it is an image: give its path in place of -",
    b"GIF8": "it is an image: give its path in place of -",
    b"RIFF": "it is an image: give its path in place of -",
    b"PK\x03\x04": "it is an archive: unpack it, and give the folder",
}
TABLES = (".csv", ".json", ".jsonl", ".list", ".lst", ".parquet", ".tsv", ".txt")
ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst")
QUOTES = ('"', "'")


@dataclass(frozen=True)
class Refusal:
    """An image that could not be predicted.

    Attributes:
        path: of the image, as it was given.
        error: why.
    """

    path: str
    error: str


def list_images(names: Iterable[str], stdin: BinaryIO) -> Iterator[Path | Refusal]:
    """Every image of the arguments, in the order given.

    Args:
        names: files; folders, for every file in them that ingest would take for an image, sorted; and `-` for a list on
            standard input in UTF-8 or the system's own bytes, one name a line, read as it comes. Blank lines count as none.
        stdin: standard input.

    Returns:
        Paths, and refusals for empty names, for URLs, for folders that hold no image or can't be listed, for lists that hold
        none, for lines that can be no name, and for what in a folder is neither a file nor a folder: links to folders, which
        are not followed, pipes and devices. Whether a file can be read is not checked.
    """
    for name in names:
        if name == STDIN:
            listed = _listed(stdin)
            yield next(listed, Refusal(STDIN, "the list on standard input names no image"))
            yield from listed
        else:
            yield from _named(name)


def _named(name: str) -> Iterator[Path | Refusal]:
    if not name:
        # As a path it would be the current folder, where a shell's variable may have been empty.
        yield Refusal("", "an empty name: give a file, a folder, or - for a list on standard input")
    elif URL.match(name) and not os.path.lexists(name):
        remedy = "give its path" if name.lower().startswith("file:") else "fetch it first, and give its path"
        yield Refusal(name, f"a URL, and only files are read: {remedy}")
    elif os.path.isdir(name):  # noqa: PTH112 (that of Path fails on a name that is too long)
        yield from _images_of(Path(name))
    else:
        yield Path(name)


def _listed(stdin: BinaryIO) -> Iterator[Path | Refusal]:
    """The images of a list, as its lines come."""
    number = 0
    while line := stdin.readline(LONGEST_LINE):
        number += 1
        if number == 1:
            if reason := next((reason for start, reason in NO_LISTS.items() if line.startswith(start)), None):
                yield Refusal(STDIN, f"standard input is no list of names: {reason}")
                return
            # As Windows begins a text in UTF-8.
            line = line.removeprefix(BOM)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            yield Refusal(
                STDIN, f"standard input is no list of names: line {number:,} has no end within {LONGEST_LINE:,} bytes"
            )
            return
        name = os.fsdecode(line.rstrip(b"\r\n"))
        if "\0" in name:
            yield Refusal(
                STDIN,
                f"line {number:,} of the list has bytes of zero: write a name a line, in UTF-8, as `find` does without -print0",
            )
        elif name == STDIN:
            yield Refusal(
                STDIN, f"line {number:,} of the list is -, which no list can hold: write ./- for a file of that name"
            )
        elif name.strip():
            yield from _named(name)


def _images_of(folder: Path) -> Iterator[Path | Refusal]:
    """Hidden and junk files are skipped, as at ingest."""
    found = []
    try:
        paths, _, others = walk(folder)
    except DarkroomError as error:
        yield Refusal(str(folder), str(error))
        return
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


def missing_hint(name: str) -> str:
    """What may be wrong with the name of a file that is not there, to follow the system's message; often nothing."""
    if len(name) > 1 and name[0] == name[-1] and name[0] in QUOTES:
        return "; leave the quotes out: no shell reads this name"
    if name.startswith("~"):
        return "; only a shell reads ~: write the whole path"
    if name != name.strip():
        return "; the name begins or ends with a blank"
    if invisible := [each for each in name if each in "\u200b\u200c\u200d\u2060\ufeff"]:
        return f"; the name has an invisible character, U+{ord(invisible[0]):04X}"
    if "*" in name or "?" in name:
        return "; only a shell reads * and ?: give the folder, or each name"
    if "\\" in name and "/" not in name:
        return "; folders are divided by / here"
    if "," in name or "\t" in name:
        return "; a list has a name a line, and no columns"
    return ""


def content_hint(name: str) -> str:
    """What to do with a file that is no image but looks as one that names or holds images; often nothing."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a name may be too long for a Path)
    if suffix in TABLES:
        return "; a list of names goes to standard input: - < FILE"
    if suffix in ARCHIVES:
        return "; an archive: unpack it, and give the folder"
    return ""
