"""Parquet tables that hold the images themselves, as Hugging Face's data sets do: image {bytes, path} and label."""

import posixpath
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import require_told_apart
from darkroom.sources.columns import Faults, in_label_order, read_optional, require_training
from darkroom.sources.folder import walk
from darkroom.sources.junk_files import not_an_image, printed, shown
from darkroom.sources.layout import SPLIT_FOLDERS
from darkroom.sources.parquet_image_columns import UNLABELLED, class_names_of, read_columns, read_labels
from darkroom.sources.row_groups import Place, RowGroups, image_stamps
from darkroom.sources.source import Ignored, Listing, SourceImage


def held_files(place: Path) -> tuple[dict[str, Path], list[Ignored]]:
    """The Parquet files of a place, by their path in it and sorted, and the other files there.

    Raises:
        DarkroomError: when the folder can't be listed.
    """
    if place.is_file():
        return {place.name: place}, []
    paths, _, ignored = walk(place)
    files = {}
    for path in sorted(paths):
        reason = not_an_image(*path.rpartition("/")[::2]) or (
            None if path.endswith(".parquet") else "not a Parquet file"
        )
        if reason:
            ignored.append(Ignored(shown(path), reason))
        else:
            files[path] = place / path
    return files, ignored


def list_held_tables(path: Path, max_unpacked_bytes: int) -> Listing:
    """List the images in a Parquet file, or in all those of a folder.

    The split is the file's, by its name (`train-00000-of-00002.parquet`) or its folder's, unless a column says it. An image's
    name is its split and its `image.path`; where that is empty or stands twice, the file and the row, counted from 0. Labels
    get the names that the file's own `ClassLabel` has for them, in its order; -1 is no label. Every image is read once, for
    its checksum.

    Raises:
        DarkroomError: when a file is damaged or lacks a column, when files disagree about the names of classes, when rows are
            wrong, or when all images together take more than `max_unpacked_bytes`.
    """
    files, ignored = held_files(path)
    if not files:
        raise DarkroomError(f"{path} holds no Parquet files: ingest.path must name a table, or a folder of such files")
    groups = RowGroups()
    found: list[tuple[SourceImage, str, Place]] = []
    declared: list[list[str] | None] = []
    left = max_unpacked_bytes
    for relative, file in files.items():
        metadata, content = read_columns(file)
        left -= sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        if left < 0:
            limit = f"{max_unpacked_bytes / (1 << 30):g} GiB"
            raise DarkroomError(
                f"{path} unfolds to more than ingest.max_unpacked_gib, {limit}: raise it if that is right"
            )
        declared.append(class_names_of(file, content.schema))
        if declared[-1] != declared[0]:
            raise DarkroomError(
                f"{printed(str(file))} names its classes otherwise than {printed(next(iter(files)))}: use files of one data set"
            )
        faults = Faults(file)
        labels = read_labels(content, declared[0], faults)
        splits, group_names, times = read_optional(content, faults)
        faults.stop()
        split_of_file = _split_of(relative)
        stamps = list(image_stamps(file, metadata.num_row_groups))
        if len(stamps) != len(labels):
            raise DarkroomError(
                f"{printed(str(file))} is damaged: {len(stamps)} images have {len(labels)} labels; fetch it again"
            )
        for at, (place, row, name, stamp) in enumerate(stamps):
            label, split = labels[at], splits[at] or split_of_file
            row_name = f"{relative.removesuffix('.parquet')}/{at:07}"
            plain = posixpath.normpath(f"/{name}").strip("/") if name else ""
            image_path = "/".join(part for part in (split, plain) if part) if plain else row_name
            if label == UNLABELLED:
                ignored.append(Ignored(image_path, "without a label"))
                continue
            read = partial(groups.read, place, row) if stamp else partial(_no_image, file, at)
            image = SourceImage(image_path, str(label), split, read, None, stamp, group_names[at], times[at])
            found.append((image, f"{row_name}-{posixpath.basename(plain)}" if plain else row_name, place))

    counts = Counter(image.path for image, _, _ in found)
    named = [(replace(one, path=own) if counts[one.path] > 1 else one, place) for one, own, place in found]
    named.sort(key=lambda pair: pair[0].path)
    groups.expect([place for _, place in named], max_unpacked_bytes - left)
    images = [image for image, _ in named]
    places = {image.label: image.path for image in reversed(images)}
    require_told_apart({name: f"label {number}" for number, name in enumerate(declared[0] or [])} | places, str(path))
    classes = tuple(declared[0] or in_label_order({image.label for image in images}))
    require_training(path, classes, [image.split for image in images])
    ignored.sort(key=lambda item: item.path)
    return Listing(classes, images, ignored, list(files.values()))


def _no_image(file: Path, row: int) -> bytes:
    raise OSError(f"row {row + 1} of {file.name} holds no image (the first row is row 1)")


def _split_of(relative: str) -> str | None:
    """The split that a file's name begins with, or else the name of a folder that it is in."""
    *folders, name = relative.lower().split("/")
    words = [re.split(r"[-._]", name)[0], *reversed(folders)]
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), None)
