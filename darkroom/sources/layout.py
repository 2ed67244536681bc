"""Class and split from the paths of a folder or an archive: classes, splits, and files that are not images."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import in_label_order
from darkroom.sources.empty_folders import class_folders_without_images
from darkroom.sources.levels import find_level
from darkroom.sources.names import as_utf8, describe_names, junk_reason, require_classes
from darkroom.sources.reading import MASK, Folder, Reading, mask_folders, read_level, wrapping_folder
from darkroom.sources.source import Ignored

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
# The name of a mask beside its image, as `benign (1)_mask.png` beside `benign (1).png` in breast ultrasound sets.
MASK_FILE = re.compile(r"(.+)[-_ ](mask|segmentation)([-_ ]?\d+)?", re.IGNORECASE)


class ImagePath(NamedTuple):
    """An image by its path: `path` as its place has it, `name` without the folders that wrap everything."""

    path: str
    name: str
    label: str
    split: str | None


class Layout(NamedTuple):
    """All paths of a place, each among the images or the ignored; both sorted by path."""

    classes: tuple[str, ...]
    images: list[ImagePath]
    ignored: list[Ignored]


def lay_out(
    paths: Iterable[str],
    where: str,
    folders: Iterable[str] = (),
    others: Sequence[Ignored] = (),
    class_level: int | None = None,
) -> Layout:
    """Tell classes and splits from the paths of all files under a root.

    A folder that contains all others is stepped into, as archives have one. Then the folders are either splits that hold class
    folders, or class folders themselves; files at any depth below a class folder are its images. Hidden files, those that
    systems leave behind, names that are not UTF-8, masks beside their images, and files outside class folders are ignored, by
    name; so are class folders without images.

    Args:
        paths: relative, with `/`, in any order, each once; bytes that are not UTF-8 as Python's surrogate escapes.
        where: the source, for messages.
        folders: those that the place names, written as the paths; those with files in them need not be among them.
        others: what was found to be no image before, which counts as ignored.
        class_level: of the class folders, counted from 1 for the folders at the top; then masks are images, too. None: found
            by names and structure.

    Raises:
        DarkroomError: when there are no class folders, or fewer than two, or splits without
            one to train on, when most pictures are outside the class folders, or when two levels could be the classes.
    """
    ignored = list(others)
    candidates: list[tuple[str, str]] = []
    parts_of: dict[str, Folder] = {}
    pictures: Counter[Folder] = Counter()
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if reason := junk_reason(folder, name):
            ignored.append(Ignored(as_utf8(path), reason))
            continue
        candidates.append((path, folder))
        if folder not in parts_of:
            parts_of[folder] = tuple(folder.split("/")) if folder else ()
        if name.lower().endswith(PICTURE_SUFFIXES):
            pictures[parts_of[folder]] += 1

    counts = pictures or Counter(parts_of[folder] for _, folder in candidates)
    masks = {} if class_level else mask_folders(counts)
    counts = Counter({folder: number for folder, number in counts.items() if not _is_in(folder, masks)})
    start = wrapping_folder(folder for folder in parts_of.values() if not _is_in(folder, masks))
    if class_level:
        start = start[: class_level - 1]
        reading = read_level(parts_of.values(), class_level)
    else:
        reading = find_level(counts, start, where)
    reading.aside.update(masks)
    meaning = {folder: reading.of(parts) for folder, parts in parts_of.items()}
    mask_files = set() if class_level else _mask_files(path for path, _ in candidates)
    cut = len("".join(f"{part}/" for part in start))

    images: list[ImagePath] = []
    for path, folder in candidates:
        label, split, reason = meaning[folder]
        if reason is None and path in mask_files:
            reason = MASK
        if reason:
            ignored.append(Ignored(path, reason))
        else:
            images.append(ImagePath(path, path[cut:], label, split))
    if class_level and not images:
        raise DarkroomError(
            f"{where} has no files in folders at ingest.class_level={class_level}: its deepest folder with files is at level "
            f"{max(map(len, parts_of.values()), default=0)}"
        )
    classes = in_label_order({image.label for image in images})
    require_classes(classes, [path for path, _ in candidates], len(images), len(ignored), where)
    _require_most_inside(pictures, reading, start, len(images), classes, where)
    ignored += class_folders_without_images(folders, parts_of, ignored, start, reading.roots)
    return Layout(classes, images, sorted(ignored, key=lambda item: item.path))


def _is_in(folder: Folder, others: Collection[Folder]) -> bool:
    """Whether a folder is one of others, or inside one."""
    return bool(others) and any(folder[:depth] in others for depth in range(1, len(folder) + 1))


def _mask_files(paths: Iterable[str]) -> set[str]:
    """Paths of masks that have the name of an image beside them and `_mask` after it."""
    masks = []
    plain = set()
    for path in paths:
        stem = path.rpartition(".")[0]
        plain.add(stem)
        if found := MASK_FILE.fullmatch(stem):
            masks.append((path, found[1]))
    return {path for path, stem in masks if stem in plain}


def _require_most_inside(
    pictures: Mapping[Folder, int], reading: Reading, start: Folder, images: int, classes: Sequence[str], where: str
) -> None:
    """Stop where most pictures are beside the class folders, in the top folder or in that of the training split."""
    training = [root for root, split in reading.roots.items() if split == "train"]
    above = [start[:depth] for depth in range(len(start) + 1)]
    loose = sum(pictures.get(place, 0) for place in {*above, *training})
    if loose > images:
        raise DarkroomError(
            f"{where} contains {loose:,} pictures outside the class folders {describe_names(classes)}, and "
            f"{images:,} in them: put the images of each class in a folder that has the class's name, and the others "
            "elsewhere"
        )
