"""The pictures of a zip or a folder, and the same as files in class folders or as a zip: equal for every contestant."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from darkroom.sources.candidate_files import PICTURE_SUFFIXES

STAMP = (2020, 1, 1, 0, 0, 0)


def read_pictures(source: Path, most: int | None = None) -> list[tuple[str, bytes]]:
    """Path within the source and bytes of its pictures, sorted by path.

    Args:
        source: a zip or a folder; it is only read.
        most: take so many at most, evenly spaced.
    """
    if source.is_dir():
        names = [str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()]
        return [(name, (source / name).read_bytes()) for name in _chosen(names, most)]
    with zipfile.ZipFile(source) as archive:
        return [(name, archive.read(name)) for name in _chosen(archive.namelist(), most)]


def _chosen(names: list[str], most: int | None) -> list[str]:
    pictures = sorted(name for name in names if name.lower().endswith(PICTURE_SUFFIXES))
    if not pictures:
        raise SystemExit("error: no pictures there")
    count = min(most or len(pictures), len(pictures))
    return [pictures[index * len(pictures) // count] for index in range(count)]


def lay_out_files(source: Path, folder: Path) -> list[Path]:
    """Write the pictures of a source as `folder/<class>/<name>`, the class being the name of the folder that they lay in.

    Where that gives one class only, pictures go to two in turns, since a classifier's data has two or more.
    """
    pictures = read_pictures(source)
    classes = {Path(name).parent.name for name, _ in pictures}
    return list(_write(pictures, folder, len(classes) > 1))


def _write(pictures: list[tuple[str, bytes]], folder: Path, classes: bool) -> Iterator[Path]:
    for index, (name, data) in enumerate(pictures):
        parts = Path(name).parts
        label = parts[-2] if classes else f"class-{index % 2}"
        # Folders above the class are kept in the name, as two of them may hold files of one name.
        file = folder / label / "-".join([*parts[:-2], parts[-1]])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        yield file


def write_zip(pictures: dict[str, bytes], path: Path) -> None:
    """Pictures by path, stored, as JPEGs don't shrink. Equal pictures give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in pictures.items():
            archive.writestr(zipfile.ZipInfo(name, STAMP), data)
    path.write_bytes(packed.getvalue())
