"""Class and split from the paths of a folder or an archive, with an object for each image."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from darkroom.sources.names import as_utf8, junk_reason
from darkroom.sources.placed import place_files
from darkroom.sources.source import Ignored


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
    """As `place_files`, of paths in any order, with an object for each image; bytes of them that are not UTF-8 are Python's
    surrogate escapes."""
    good, ignored = [], list[Ignored]()
    for path in sorted(paths):
        if path.isascii() or as_utf8(path) == path:
            good.append(path)
        else:
            folder, _, name = path.rpartition("/")
            ignored.append(Ignored(as_utf8(path), junk_reason(folder, name) or ""))
    placed = place_files(pa.chunked_array([good], pa.string()), where, folders, [*ignored, *others], class_level)
    images = [
        ImagePath(path := good[row], path[placed.cut :], placed.labels[folder], placed.splits[folder])
        for row, folder in zip(placed.rows.tolist(), placed.folder.tolist(), strict=True)
    ]
    return Layout(placed.classes, images, placed.ignored)
