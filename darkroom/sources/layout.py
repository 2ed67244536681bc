"""What the paths of a folder or an archive say: classes, splits, and files that are not images."""

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from darkroom.errors import DarkroomError
from darkroom.sources.source import Ignored, Listing, SourceImage

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}


def lay_out(paths: Iterable[str], read: Callable[[str], bytes], where: str) -> Listing:
    """Make a listing from the paths of all files under a root.

    A single folder that holds everything is stepped into, as archives have one. Then the folders are either splits that
    hold class folders, or class folders themselves; files at any depth below a class folder are its images. Hidden files,
    those that systems leave behind, and files outside class folders are ignored, by name.

    Args:
        paths: relative, with `/`, in any order.
        read: the bytes of one of them.
        where: the source, for messages.

    Raises:
        DarkroomError: when there are no class folders, or fewer than two.
    """
    ignored: list[Ignored] = []
    kept: list[tuple[str, PurePosixPath]] = []
    for path in sorted(paths):
        pure = PurePosixPath(path)
        if any(part.startswith(".") or part == "__MACOSX" for part in pure.parts):
            ignored.append(Ignored(path, "hidden"))
        elif pure.name.lower() in SYSTEM_FILES:
            ignored.append(Ignored(path, "left by the system"))
        else:
            kept.append((path, pure))

    depth = _wrapping_depth([pure for _, pure in kept])
    inner = [(path, PurePosixPath(*pure.parts[depth:])) for path, pure in kept]
    in_splits = _has_split_folders([pure for _, pure in inner])

    images: list[SourceImage] = []
    for path, pure in inner:
        folders = pure.parts[:-1]
        split = None
        if in_splits and folders:
            split = SPLIT_FOLDERS.get(folders[0].lower())
            if split is None:
                ignored.append(Ignored(path, "outside the train, validation and test folders"))
                continue
            folders = folders[1:]
        if not folders:
            ignored.append(Ignored(path, "not in a class folder"))
            continue
        images.append(SourceImage(str(pure), folders[0], split, lambda path=path: read(path)))  # type: ignore[misc]

    classes = tuple(sorted({image.label for image in images}))
    if not classes:
        raise DarkroomError(
            f"{where} holds no class folders with files in them ({len(ignored)} files elsewhere): "
            "put the images of each class in a folder that has the class's name"
        )
    if len(classes) == 1:
        raise DarkroomError(
            f"{where} holds only one class, {classes[0]!r}, with {len(images)} files: a classifier needs two or more"
        )
    return Listing(classes, images, sorted(ignored, key=lambda item: item.path))


def _wrapping_depth(paths: list[PurePosixPath]) -> int:
    """How many leading folders hold everything and only folders: those above the class or split folders."""
    depth = 0
    while paths and all(len(path.parts) >= depth + 3 for path in paths):
        names = {path.parts[depth] for path in paths}
        if len(names) > 1 or next(iter(names)).lower() in SPLIT_FOLDERS:
            break
        depth += 1
    return depth


def _has_split_folders(paths: list[PurePosixPath]) -> bool:
    """Whether the top folders are splits: `train` is there, with another, and every one holds class folders."""
    tops = {path.parts[0].lower() for path in paths if len(path.parts) >= 3}
    splits = {SPLIT_FOLDERS[top] for top in tops if top in SPLIT_FOLDERS}
    return "train" in splits and len(splits) > 1
