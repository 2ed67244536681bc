"""Class and split from the paths of a folder or an archive: classes, splits, and files that are not images."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from darkroom.runtime.arrays import Int32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.sources.candidate_files import CandidateFiles, candidate_files
from darkroom.sources.class_names import in_label_order
from darkroom.sources.empty_folders import class_folders_without_images, is_class_place
from darkroom.sources.levels import find_level
from darkroom.sources.names import describe_names, require_classes
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

# So many paths are looked at together: a million at once take 100 MB.
AT_ONCE = 10_000


class Placed(NamedTuple):
    """The same, with columns in place of an object for each image.

    Attributes:
        classes: their names, in order.
        rows: of the images among the paths, int64 [N].
        folder: of each image, by its number, int32 [N].
        labels, splits: of each folder.
        cut: the length of what wraps everything, which is no part of an image's name.
        ignored: sorted by path.
    """

    classes: tuple[str, ...]
    rows: Int64s
    folder: Int32s
    labels: list[str]
    splits: list[str | None]
    cut: int
    ignored: list[Ignored]


def place_files(
    paths: pa.ChunkedArray,
    where: str,
    folders: Iterable[str] = (),
    others: Sequence[Ignored] = (),
    class_level: int | None = None,
) -> Placed:
    """Tell classes and splits from the paths of all files under a root.

    A folder that contains all others is stepped into, as archives have one. Then the folders are either splits that hold class
    folders, or class folders themselves; files at any depth below a class folder are its images. Hidden files, those that
    systems leave behind, names that are not UTF-8, masks beside their images, and files outside class folders are ignored, by
    name; so are class folders without images.

    Args:
        paths: relative, with `/`, sorted, each once.
        where: the source, for messages.
        folders: those that the place names, written as the paths; those with files in them need not be among them.
        others: what was found to be no image before, which counts as ignored.
        class_level: of the class folders, counted from 1 for the folders at the top; then masks are images, too. None: found
            by names and structure.

    Raises:
        DarkroomError: when there are no class folders, or fewer than two, or splits without one to train on, when most pictures
            are outside the class folders, or when two levels could be the classes.
    """
    files, ignored = candidate_files(paths)
    reading, start = _read(files, class_level, where)
    meaning = [reading.of(parts) for parts in files.parts_of.values()]
    aside = _aside(files, paths, meaning, class_level is None)
    ignored += aside.values()
    rows, folder = files.rows, files.folder
    if aside:
        inside = ~np.isin(rows, np.array(list(aside), np.int64))
        rows, folder = rows[inside], folder[inside]
    if class_level and not len(rows):
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
    classes = in_label_order({meaning[number][0] for number in np.unique(folder)})
    candidates = paths.take(pa.array(files.rows)) if len(classes) < 2 else []
    require_classes(classes, [str(path) for path in candidates], len(rows), ignored, where)
    _require_most_inside(files.pictures, reading, start, len(rows), classes, where)
    ignored += class_folders_without_images(folders, files.parts_of, ignored, start, reading.roots)
    labels, splits, _ = zip(*meaning, strict=True)
    cut = len("".join(f"{part}/" for part in start))
    return Placed(classes, rows, folder, [*labels], [*splits], cut, sorted(ignored, key=lambda item: item.path))


def _read(files: CandidateFiles, class_level: int | None, where: str) -> tuple[Reading, Folder]:
    """What the folders mean, and the one that contains all others."""
    counts = files.pictures or _files_in(files)
    if class_level:
        start = wrapping_folder(files.parts_of.values())
        return read_level(files.parts_of.values(), class_level), start[: class_level - 1]
    masks = mask_folders(counts)
    start = wrapping_folder(folder for folder in files.parts_of.values() if not _is_in(folder, masks))
    within = wrapping_folder(
        files.parts_of[folder] for folder in files.filled if not _is_in(files.parts_of[folder], masks)
    )
    if len(within) > len(start) and is_for_images(within[len(start)]):
        start = within
    images = {folder: number for folder, number in counts.items() if not _is_in(folder, masks)}
    reading = find_level(images, start, where)
    reading.aside.update(masks)
    return reading, start


def _files_in(files: CandidateFiles) -> Counter[Folder]:
    """How many files are directly in each folder."""
    numbers = np.bincount(files.folder, minlength=len(files.parts_of)).tolist()
    return Counter(dict(zip(files.parts_of.values(), numbers, strict=True)))


def _aside(
    files: CandidateFiles,
    paths: pa.ChunkedArray,
    meaning: Sequence[tuple[str, str | None, str | None]],
    without_masks: bool,
) -> dict[int, Ignored]:
    """Row → file that is no image for where it is, or since it is a mask."""
    reasons = {number: reason for number, (_, _, reason) in enumerate(meaning) if reason}
    outside = np.isin(files.folder, np.array(list(reasons), np.int64))
    found = {
        row: Ignored(paths[row].as_py(), reasons[number])
        for row, number in zip(files.rows[outside].tolist(), files.folder[outside].tolist(), strict=True)
    }
    if without_masks and files.masks:
        wanted = set(files.masks.values())
        slices = (paths.slice(start, AT_ONCE).to_pylist() for start in range(0, len(paths), AT_ONCE))
        beside = {stem for names in slices for path in names if (stem := path.rpartition(".")[0]) in wanted}
        found |= {
            row: Ignored(paths[row].as_py(), MASK)
            for row, stem in files.masks.items()
            if stem in beside and row not in found
        }
    return found


def _is_in(folder: Folder, others: Collection[Folder]) -> bool:
    """Whether a folder is one of others, or inside one."""
    return bool(others) and any(folder[:depth] in others for depth in range(1, len(folder) + 1))


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
