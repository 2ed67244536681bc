"""What the folders of a source mean: which contain class folders, and which have files that are no images of a class."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from darkroom.sources.split_names import is_bare_split, is_for_images, is_for_masks, split_of

Folder = tuple[str, ...]
LINK = "a link to a folder, not followed"
LINKED_CLASS = (
    "a link where a class folder would be, not followed: put the folder itself there, as cp -rL does, or name its images in a "
    "table of paths"
)
NOT_IN_A_CLASS = "not in a class folder"
MASK = "a mask of an image beside it: with ingest.class_level=1 for class folders at the top, and so on, masks are images, too"


@dataclass(frozen=True)
class Reading:
    """What the folders of a source mean.

    Attributes:
        roots: the folders directly in which the class folders are, with their split.
        aside: folders whose files are no images of the classes, with the reason.
        splits_inside: whether each class folder has a folder for each split in it, as in `cat/train/`.
    """

    roots: dict[Folder, str | None]
    aside: dict[Folder, str] = field(default_factory=dict)
    splits_inside: bool = False

    def of(self, folder: Folder) -> tuple[str, str | None, str | None]:
        """Label, split, and why it contains no images, of a folder."""
        root = None
        for depth in range(len(folder) + 1):
            if reason := self.aside.get(folder[:depth]):
                return "", None, reason
            root = folder[:depth] if folder[:depth] in self.roots else root
        above = any(other[: len(folder)] == folder for other in self.roots)
        if root is None and not above and any(self.roots.values()):
            return "", None, "outside the train, validation and test folders"
        if root is None or root == folder:
            return "", None, NOT_IN_A_CLASS
        inside = folder[len(root) + 1 :]
        split = split_of(inside[0]) if self.splits_inside and inside else self.roots[root]
        return folder[len(root)], split, None


def wrapping_folder(folders: Iterable[Folder]) -> Folder:
    """The folder that contains all others with files: the one above the class folders or split folders."""
    found = set(folders)
    start: Folder = ()
    while True:
        below = [folder for folder in found if len(folder) > len(start)]
        tops = {folder[len(start)] for folder in below}
        if len(tops) != 1 or not any(len(folder) > len(start) + 1 for folder in below):
            return start
        if is_bare_split(top := next(iter(tops))):
            return start
        start += (top,)


def mask_folders(counts: Mapping[Folder, int]) -> dict[Folder, str]:
    """Folders with masks of the images beside them, as `cat/masks/` beside `cat/images/`, with the reason.

    Args:
        counts: how many pictures are directly in each folder.
    """
    nested: Counter[Folder] = Counter()
    for folder, pictures in counts.items():
        for depth in range(1, len(folder) + 1):
            nested[folder[:depth]] += pictures
    images: Counter[Folder] = Counter({parent: counts.get(parent, 0) for parent in counts if parent})
    for folder, pictures in nested.items():
        images[folder[:-1]] += pictures if is_for_images(folder[-1]) else 0
    return {
        folder: MASK
        for folder, pictures in nested.items()
        if is_for_masks(folder[-1]) and images[folder[:-1]] * 2 >= pictures
    }


def read_level(folders: Iterable[Folder], level: int) -> Reading:
    """The class folders are at a level that the user names; folders for splits may be above it or in it.

    Args:
        folders: those with files.
        level: counted from 1 for the folders in the root of the source.

    Returns:
        The class folders, with the splits of the folders above them, or of those directly in them, as in `cat/train/`.
    """
    found = [folder for folder in folders if len(folder) >= level]
    roots = {folder[: level - 1]: None for folder in found}
    splits = {root: next(filter(None, map(split_of, reversed(root))), None) for root in roots}
    if "train" in splits.values():
        return Reading(splits)
    inside = all(len(folder) > level for folder in found) and are_splits({folder[level] for folder in found})
    return Reading(dict(roots), splits_inside=inside)


def are_splits(names: Collection[str]) -> bool:
    """Whether all names say a split, and one of them training."""
    splits = set(map(split_of, names))
    return "train" in splits and None not in splits
