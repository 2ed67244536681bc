"""Class folders that hold no image, which nothing else would name."""

from collections.abc import Collection, Iterable

from darkroom.sources.junk_files import not_an_image, shown
from darkroom.sources.source import Ignored


def class_folders_without_images(
    folders: Iterable[str],
    with_files: Iterable[str],
    ignored: list[Ignored],
    start: tuple[str, ...],
    splits: Collection[str],
) -> list[Ignored]:
    """Name the folders that stand where class folders do, or where split folders do, and have no image at any depth.

    Args:
        folders: all that are known, with `/`.
        with_files: those with files that are not ignored for what they are.
        ignored: the files that are.
        start: the folders that wrap everything.
        splits: the names that split folders may have, where there are such folders; else empty.
    """
    taken = with_those_above(with_files)
    littered = with_those_above({item.path.rpartition("/")[0] for item in ignored})
    found: dict[str, Ignored] = {}
    for folder in sorted(with_those_above(map(shown, folders)) | littered):
        parts = tuple(folder.split("/"))
        if folder in taken or folder.rpartition("/")[0] in found or not _is_for_images(parts, start, splits):
            continue
        if not not_an_image(folder, ""):
            reason = "a folder without images" if folder in littered else "an empty folder"
            found[folder] = Ignored(folder, reason)
    return list(found.values())


def _is_for_images(parts: tuple[str, ...], start: tuple[str, ...], splits: Collection[str]) -> bool:
    if len(parts) <= len(start):  # beside what wraps the others
        return parts[:-1] == start[: len(parts) - 1]
    inner = parts[len(start) :]
    return parts[: len(start)] == start and (len(inner) == 1 or (len(inner) == 2 and inner[0].lower() in splits))


def with_those_above(folders: Iterable[str]) -> set[str]:
    """Folders, by their paths with `/`, and all that hold them but for the top."""
    found: set[str] = set()
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
