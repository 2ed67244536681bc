"""Class and split from the paths of a folder or an archive: classes, splits, and files that are not images."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import in_label_order
from darkroom.sources.empty_folders import class_folders_without_images, is_class_place
from darkroom.sources.levels import find_level
from darkroom.sources.names import as_utf8, describe_names, junk_reason, require_classes
from darkroom.sources.reading import (
    LINK,
    LINKED_CLASS,
    MASK,
    Folder,
    Reading,
    mask_folders,
    read_level,
    wrapping_folder,
)
from darkroom.sources.source import Ignored
from darkroom.sources.split_names import is_for_images

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
# What may be beside pictures: a folder with nothing else, as `metadata/`, makes no class of an `images/` beside it.
TEXT_SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".json",
    ".jsonl",
    ".xml",
    ".yaml",
    ".yml",
    ".md",
    ".html",
    ".pdf",
    ".mat",
    ".xlsx",
)
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


class _Files(NamedTuple):
    """The files of a place that are not ignored for what they are: each with its folder, folders in parts, pictures in each."""

    candidates: list[tuple[str, str]]
    parts_of: dict[str, Folder]
    pictures: Counter[Folder]


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
        DarkroomError: when there are no class folders, or fewer than two, or splits without one to train on, when most pictures
            are outside the class folders, or when two levels could be the classes.
    """
    files, ignored = _without_junk(paths)
    reading, start = _read(files, class_level, where)
    images, no_images = _label(files, reading, len("".join(f"{part}/" for part in start)), class_level is None)
    ignored += no_images
    if class_level and not images:
        raise DarkroomError(
            f"{where} has no files in folders at ingest.class_level={class_level}: its deepest folder with files is at level "
            f"{max(map(len, files.parts_of.values()), default=0)}"
        )
    ignored += [
        one._replace(reason=LINKED_CLASS)
        if one.reason == LINK and is_class_place(tuple(one.path.split("/")), start, reading.roots)
        else one
        for one in others
    ]
    classes = in_label_order({image.label for image in images})
    require_classes(classes, [path for path, _ in files.candidates], len(images), ignored, where)
    _require_most_inside(files.pictures, reading, start, len(images), classes, where)
    ignored += class_folders_without_images(folders, files.parts_of, ignored, start, reading.roots)
    return Layout(classes, images, sorted(ignored, key=lambda item: item.path))


def _without_junk(paths: Iterable[str]) -> tuple[_Files, list[Ignored]]:
    """The files that may be images, and those that can't for what they are."""
    files, ignored = _Files([], {}, Counter()), []
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if reason := junk_reason(folder, name):
            ignored.append(Ignored(as_utf8(path), reason))
            continue
        files.candidates.append((path, folder))
        if folder not in files.parts_of:
            files.parts_of[folder] = tuple(folder.split("/")) if folder else ()
        if name.lower().endswith(PICTURE_SUFFIXES):
            files.pictures[files.parts_of[folder]] += 1
    return files, ignored


def _read(files: _Files, class_level: int | None, where: str) -> tuple[Reading, Folder]:
    """What the folders mean, and the one that contains all others."""
    counts = files.pictures or Counter(files.parts_of[folder] for _, folder in files.candidates)
    if class_level:
        start = wrapping_folder(files.parts_of.values())
        return read_level(files.parts_of.values(), class_level), start[: class_level - 1]
    masks = mask_folders(counts)
    start = wrapping_folder(folder for folder in files.parts_of.values() if not _is_in(folder, masks))
    filled = {folder for path, folder in files.candidates if not path.lower().endswith(TEXT_SUFFIXES)}
    within = wrapping_folder(files.parts_of[folder] for folder in filled if not _is_in(files.parts_of[folder], masks))
    if len(within) > len(start) and is_for_images(within[len(start)]):
        start = within
    images = {folder: number for folder, number in counts.items() if not _is_in(folder, masks)}
    reading = find_level(images, start, where)
    reading.aside.update(masks)
    return reading, start


def _label(files: _Files, reading: Reading, cut: int, without_masks: bool) -> tuple[list[ImagePath], list[Ignored]]:
    """The images with label and split, and what is none; `cut` is the length of what wraps everything in a path."""
    meaning = {folder: reading.of(parts) for folder, parts in files.parts_of.items()}
    masks = _mask_files([path for path, _ in files.candidates]) if without_masks else set()
    images: list[ImagePath] = []
    ignored: list[Ignored] = []
    for path, folder in files.candidates:
        label, split, reason = meaning[folder]
        if reason is None and path in masks:
            reason = MASK
        if reason:
            ignored.append(Ignored(path, reason))
        else:
            images.append(ImagePath(path, path[cut:], label, split))
    return images, ignored


def _is_in(folder: Folder, others: Collection[Folder]) -> bool:
    """Whether a folder is one of others, or inside one."""
    return bool(others) and any(folder[:depth] in others for depth in range(1, len(folder) + 1))


def _mask_files(paths: Sequence[str]) -> set[str]:
    """Paths of masks that have the name of an image beside them and `_mask` after it."""
    named = [path for path in paths if "mask" in (low := path.lower()) or "segmentation" in low]
    masks = [(path, found[1]) for path in named if (found := MASK_FILE.fullmatch(path.rpartition(".")[0]))]
    plain = {path.rpartition(".")[0] for path in paths} if masks else set()
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
