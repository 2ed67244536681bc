"""Class and split from the paths of a folder or an archive: classes, splits, and files that are not images."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.names import as_utf8, junk_reason, printable, require_classes, require_distinct
from darkroom.sources.source import Ignored

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")

Folder = tuple[str, ...]


class ImagePath(NamedTuple):
    """An image by its path: `path` as its place has it, `name` without the folders that wrap everything."""

    path: str
    name: str
    label: str
    split: str | None


class Layout(NamedTuple):
    """All paths of a place, each among the images or the ignored; both sorted by path, classes by name."""

    classes: tuple[str, ...]
    images: list[ImagePath]
    ignored: list[Ignored]


def lay_out(paths: Iterable[str], where: str, folders: Iterable[str] = (), others: Sequence[Ignored] = ()) -> Layout:
    """Tell classes and splits from the paths of all files under a root.

    A folder that contains all others is stepped into, as archives have one. Then the folders are either splits that hold class
    folders, or class folders themselves; files at any depth below a class folder are its images. Hidden files, those that
    systems leave behind, names that are not UTF-8, and files outside class folders are ignored, by name; so are class folders
    without images.

    Args:
        paths: relative, with `/`, in any order, each once; bytes that are not UTF-8 as Python's surrogate escapes.
        where: the source, for messages.
        folders: those that the place names, written as the paths; those with files in them need not be among them.
        others: what was found to be no image before, which counts as ignored.

    Raises:
        DarkroomError: when there are no class folders, or fewer than two, or two whose names look the same, or splits without
            one to train on, or when most pictures are outside the class folders.
    """
    ignored = list(others)
    candidates: list[tuple[str, str]] = []
    parts_of: dict[str, Folder] = {}
    pictures: Counter[str] = Counter()
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if reason := junk_reason(folder, name):
            ignored.append(Ignored(as_utf8(path), reason))
            continue
        candidates.append((path, folder))
        if folder not in parts_of:
            parts_of[folder] = tuple(folder.split("/")) if folder else ()
        if name.lower().endswith(PICTURE_SUFFIXES):
            pictures[folder] += 1

    depth = _wrapping_depth(set(parts_of.values()))
    inner = {folder: parts[depth:] if len(parts) > depth else () for folder, parts in parts_of.items()}
    in_splits = _has_split_folders(set(inner.values()), where)
    meaning = {folder: _meaning(parts, in_splits) for folder, parts in inner.items()}
    start = _prefix(parts_of.values(), depth)
    cut = len("".join(f"{part}/" for part in start))

    images: list[ImagePath] = []
    for path, folder in candidates:
        label, split, reason = meaning[folder]
        if reason:
            ignored.append(Ignored(path, reason))
        else:
            images.append(ImagePath(path, path[cut:], label, split))
    classes = tuple(sorted({image.label for image in images}))
    require_distinct({image.label: image.path for image in reversed(images)}, where)
    require_classes(classes, [path for path, _ in candidates], len(images), len(ignored), where)
    loose = sum(count for folder, count in pictures.items() if _is_for_class_folders(inner[folder], in_splits))
    if loose > len(images):
        raise DarkroomError(
            f"{where} contains {loose:,} pictures outside the class folders {printable(', '.join(classes[:5]))}, and "
            f"{len(images):,} in them: put the images of each class in a folder that has the class's name, and the others "
            "elsewhere"
        )
    ignored += class_folders_without_images(folders, parts_of, ignored, start, SPLIT_FOLDERS if in_splits else ())
    return Layout(classes, images, sorted(ignored, key=lambda item: item.path))


def _wrapping_depth(folders: set[Folder]) -> int:
    """How many leading folders hold all other folders: those above the class or split folders."""
    depth = 0
    while True:
        below = [parts for parts in folders if len(parts) > depth]
        tops = {parts[depth] for parts in below}
        if len(tops) != 1 or next(iter(tops)).lower() in SPLIT_FOLDERS:
            return depth
        if not any(len(parts) > depth + 1 for parts in below):
            return depth
        depth += 1


def _prefix(folders: Iterable[Folder], depth: int) -> Folder:
    """The leading folders that everything within `depth` shares."""
    return next((parts[:depth] for parts in folders if len(parts) > depth), ())


def _has_split_folders(folders: set[Folder], where: str) -> bool:
    """Whether the top folders are splits: `train` contains class folders, and beside it are splits alone or another split."""
    tops = {parts[0] for parts in folders if parts}
    splits = {
        SPLIT_FOLDERS[parts[0].lower()] for parts in folders if len(parts) > 1 and parts[0].lower() in SPLIT_FOLDERS
    }
    if not tops or not all(top.lower() in SPLIT_FOLDERS for top in tops):
        return "train" in splits and len(splits) > 1
    names = printable(" and ".join(f"{top}/" for top in sorted(tops)))
    if not splits:
        raise DarkroomError(
            f"{where} contains {names} with files directly in them: put a folder for each class into each of them"
        )
    if "train" not in splits:
        raise DarkroomError(
            f"{where} contains {names} and nothing to train on: put a train/ with class folders beside it; or, to have "
            "Darkroom divide these images, give it a folder that contains the class folders directly"
        )
    return True


def _is_for_class_folders(parts: Folder, in_splits: bool) -> bool:
    """Whether a folder is one in which classes are, so that pictures directly in it have none: the top, or train/."""
    return not parts or (in_splits and len(parts) == 1 and SPLIT_FOLDERS.get(parts[0].lower()) == "train")


def _meaning(parts: Folder, in_splits: bool) -> tuple[str, str | None, str | None]:
    """Label, split, and why it contains no images, of a folder."""
    split = None
    if in_splits and parts:
        split = SPLIT_FOLDERS.get(parts[0].lower())
        if split is None:
            return "", None, "outside the train, validation and test folders"
        parts = parts[1:]
    return (parts[0], split, None) if parts else ("", None, "not in a class folder")


def class_folders_without_images(
    folders: Iterable[str],
    with_files: Iterable[str],
    ignored: list[Ignored],
    start: tuple[str, ...],
    splits: Collection[str],
) -> list[Ignored]:
    """Name the folders in the places of class folders or split folders that and have no image at any depth.

    Args:
        folders: all that there are, with `/`.
        with_files: those with files that are not ignored for what they are.
        ignored: the files that are.
        start: the folders that wrap everything.
        splits: the names that split folders may have, where there are such folders; else empty.
    """
    filled = with_parents(with_files)
    littered = with_parents({item.path.rpartition("/")[0] for item in ignored})
    found: dict[str, Ignored] = {}
    for folder in sorted(with_parents(map(as_utf8, folders)) | littered):
        parts = tuple(folder.split("/"))
        if folder in filled or folder.rpartition("/")[0] in found or not _is_for_images(parts, start, splits):
            continue
        if not junk_reason(folder, ""):
            reason = "a folder without images" if folder in littered else "an empty folder"
            found[folder] = Ignored(folder, reason)
    return list(found.values())


def _is_for_images(parts: tuple[str, ...], start: tuple[str, ...], splits: Collection[str]) -> bool:
    if len(parts) <= len(start):  # beside what wraps the others
        return parts[:-1] == start[: len(parts) - 1]
    inner = parts[len(start) :]
    return parts[: len(start)] == start and (len(inner) == 1 or (len(inner) == 2 and inner[0].lower() in splits))


def with_parents(folders: Iterable[str]) -> set[str]:
    """Folders, by their paths with `/`, and all that hold them but for the top."""
    found: set[str] = set()
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
