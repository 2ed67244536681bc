"""What classes must be: two or more, with names that can be told apart."""

import unicodedata
from collections.abc import Mapping, Sequence

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.junk_files import printed


def require_told_apart(places: Mapping[str, str], where: str) -> None:
    """Stop where two class names are written with other characters and shown alike: `é` as one, and as `e` and an accent.

    Args:
        places: where each class name is first met, for the message.
        where: the source.

    Raises:
        DarkroomError: naming both, and their places.
    """
    alike: dict[str, str] = {}
    for name in sorted(places):
        other = alike.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            raise DarkroomError(
                f"{where} has two classes that look the same, {other!a} ({printed(places[other])}) and {name!a} "
                f"({printed(places[name])}): rename one as the other, in one Unicode form (NFC), or give it another name"
            )


def require_classes(classes: Sequence[str], paths: list[str], images: int, others: int, where: str) -> None:
    """Stop where class folders give fewer than two classes.

    Args:
        classes: their names.
        paths: of all files that were not ignored for what they are.
        images, others: how many files lie in class folders, and how many do not count.
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
            f"{where} holds no class folders with files in them ({others} files elsewhere): "
            "put the images of each class in a folder that has the class's name, or name a table of path,label"
        )
    if len(classes) == 1:
        raise DarkroomError(
            f"{where} holds only one class, {classes[0]!r}, with {images} files: a classifier needs two or more"
        )
