"""Folders in which images of a class should be, and are not."""

from collections.abc import Collection, Iterable

from darkroom.sources.names import as_utf8, junk_reason
from darkroom.sources.reading import Folder
from darkroom.sources.source import Ignored


def class_folders_without_images(
    folders: Iterable[str],
    with_files: Iterable[str],
    ignored: list[Ignored],
    start: Folder,
    roots: Collection[Folder],
) -> list[Ignored]:
    """Name the folders in the places of class folders or split folders that have no image at any depth.

    Args:
        folders: all that there are, with `/`.
        with_files: those with files that are not ignored for what they are.
        ignored: the files that are.
        start: the folders that wrap everything.
        roots: the folders directly in which the class folders are.
    """
    filled = with_parents(with_files)
    littered = with_parents({item.path.rpartition("/")[0] for item in ignored})
    found: dict[str, Ignored] = {}
    for folder in sorted(with_parents(map(as_utf8, folders)) | littered):
        parts = tuple(folder.split("/"))
        if folder in filled or folder.rpartition("/")[0] in found or not is_class_place(parts, start, roots):
            continue
        if not junk_reason(folder, ""):
            reason = "a folder without images" if folder in littered else "an empty folder"
            found[folder] = Ignored(folder, reason)
    return list(found.values())


def is_class_place(parts: Folder, start: Folder, roots: Collection[Folder]) -> bool:
    """Whether a folder is where class folders or split folders are: in a root, beside a root, or beside what wraps them."""
    parent = parts[:-1]
    return parent in roots or parent == start[: len(parent)]


def with_parents(folders: Iterable[str]) -> set[str]:
    """Folders, by their paths with `/`, and all that hold them but for the top."""
    found: set[str] = set()
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
