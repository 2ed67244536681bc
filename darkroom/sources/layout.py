"""What the paths of a folder or an archive say: classes, splits, and files that are not images."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from darkroom.errors import DarkroomError
from darkroom.sources.clutter import not_an_image, shown
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


class Placed(NamedTuple):
    """An image by its path: `path` as its place has it, `name` without the folders that wrap everything."""

    path: str
    name: str
    label: str
    split: str | None


class Layout(NamedTuple):
    """All paths of a place, each among the images or the ignored; both sorted by path, classes by name."""

    classes: tuple[str, ...]
    images: list[Placed]
    ignored: list[Ignored]


def lay_out(paths: Iterable[str], where: str) -> Layout:
    """Tell classes and splits from the paths of all files under a root.

    A folder that holds all others is stepped into, as archives have one. Then the folders are either splits that hold class
    folders, or class folders themselves; files at any depth below a class folder are its images. Hidden files, those that
    systems leave behind, names that are not UTF-8, and files outside class folders are ignored, by name.

    Args:
        paths: relative, with `/`, in any order, each once; bytes that are not UTF-8 as Python's surrogate escapes.
        where: the source, for messages.

    Raises:
        DarkroomError: when there are no class folders, or fewer than two, or splits without one to train on, or when most
            pictures lie outside the class folders.
    """
    ignored: list[Ignored] = []
    kept: list[tuple[str, str]] = []
    parts_of: dict[str, Folder] = {}
    pictures: Counter[str] = Counter()
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if reason := not_an_image(folder, name):
            ignored.append(Ignored(shown(path), reason))
            continue
        kept.append((path, folder))
        if folder not in parts_of:
            parts_of[folder] = tuple(folder.split("/")) if folder else ()
        if name.lower().endswith(PICTURE_SUFFIXES):
            pictures[folder] += 1

    depth = _wrapping_depth(set(parts_of.values()))
    inner = {folder: parts[depth:] if len(parts) > depth else () for folder, parts in parts_of.items()}
    in_splits = _has_split_folders(set(inner.values()), where)
    meaning = {folder: _meaning(parts, in_splits) for folder, parts in inner.items()}
    cut = len("".join(f"{part}/" for part in _prefix(parts_of.values(), depth)))

    images: list[Placed] = []
    for path, folder in kept:
        label, split, reason = meaning[folder]
        if reason:
            ignored.append(Ignored(path, reason))
        else:
            images.append(Placed(path, path[cut:], label, split))
    classes = tuple(sorted({image.label for image in images}))
    _require_classes(classes, len(images), len(ignored), where)
    loose = sum(count for folder, count in pictures.items() if _is_for_class_folders(inner[folder], in_splits))
    if loose > len(images):
        raise DarkroomError(
            f"{where} holds {loose:,} pictures outside the class folders {', '.join(classes[:5])}, and {len(images):,} in "
            "them: put the images of each class in a folder that has the class's name, and the others elsewhere"
        )
    return Layout(classes, images, sorted(ignored, key=lambda item: item.path))


def _require_classes(classes: tuple[str, ...], images: int, others: int, where: str) -> None:
    if not classes:
        raise DarkroomError(
            f"{where} holds no class folders with files in them ({others} files elsewhere): "
            "put the images of each class in a folder that has the class's name, or name a table of path,label"
        )
    if len(classes) == 1:
        raise DarkroomError(
            f"{where} holds only one class, {classes[0]!r}, with {images} files: a classifier needs two or more"
        )


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
    """Whether the top folders are splits: `train` holds class folders, and beside it are splits alone or another split."""
    tops = {parts[0] for parts in folders if parts}
    splits = {
        SPLIT_FOLDERS[parts[0].lower()] for parts in folders if len(parts) > 1 and parts[0].lower() in SPLIT_FOLDERS
    }
    if not tops or not all(top.lower() in SPLIT_FOLDERS for top in tops):
        return "train" in splits and len(splits) > 1
    names = " and ".join(f"{top}/" for top in sorted(tops))
    if not splits:
        raise DarkroomError(
            f"{where} holds {names} with files directly in them: put a folder for each class into each of them"
        )
    if "train" not in splits:
        raise DarkroomError(
            f"{where} holds {names} and nothing to train on: put a train/ with class folders beside it; or, to have "
            "Darkroom divide these images, give it a folder that holds the class folders directly"
        )
    return True


def _is_for_class_folders(parts: Folder, in_splits: bool) -> bool:
    """Whether a folder is one in which classes are, so that pictures directly in it have none: the top, or train/."""
    return not parts or (in_splits and len(parts) == 1 and SPLIT_FOLDERS.get(parts[0].lower()) == "train")


def _meaning(parts: Folder, in_splits: bool) -> tuple[str, str | None, str | None]:
    """Label, split, and why it holds no images, of a folder."""
    split = None
    if in_splits and parts:
        split = SPLIT_FOLDERS.get(parts[0].lower())
        if split is None:
            return "", None, "outside the train, validation and test folders"
        parts = parts[1:]
    return (parts[0], split, None) if parts else ("", None, "not in a class folder")
