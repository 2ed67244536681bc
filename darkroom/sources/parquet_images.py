"""Parquet tables that hold the images themselves, as Hugging Face's data sets do: image {bytes, path} and label."""

import json
import posixpath
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import (
    OPTIONAL,
    UNREADABLE,
    Faults,
    in_label_order,
    read_by_groups,
    read_optional,
    require_columns,
    require_training,
    trimmed,
)
from darkroom.sources.folder import walk
from darkroom.sources.layout import SPLIT_FOLDERS
from darkroom.sources.names import as_utf8, junk_reason, printable, require_distinct
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
        reason = junk_reason(*path.rpartition("/")[::2]) or (
            None if path.endswith(".parquet") else "not a Parquet file"
        )
        if reason:
            ignored.append(Ignored(as_utf8(path), reason))
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
                f"{printable(str(file))} names its classes otherwise than {printable(next(iter(files)))}: use files of one "
                "data set"
            )
        faults = Faults(file)
        labels = read_labels(content, declared[0], faults)
        splits, group_names, times = read_optional(content, faults)
        faults.stop()
        split_of_file = _split_of(relative)
        stamps = list(image_stamps(file, metadata.num_row_groups))
        if len(stamps) != len(labels):
            raise DarkroomError(
                f"{printable(str(file))} is damaged: {len(stamps)} images have {len(labels)} labels; fetch it again"
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
    require_distinct({name: f"label {number}" for number, name in enumerate(declared[0] or [])} | places, str(path))
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


UNLABELLED = "-1"


def holds_images(schema: pa.Schema) -> bool:
    """Whether a table has the column `image: struct<bytes: binary, …>`."""
    at = schema.get_field_index("image")
    kind = schema.field(at).type if at >= 0 else pa.null()
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def read_columns(file: Path) -> tuple[pq.FileMetaData, pa.Table]:
    """A file's footer, and its columns but for the images.

    Raises:
        DarkroomError: when the file is no Parquet or damaged, or lacks `image {bytes}` or `label`.
    """
    try:
        with pq.ParquetFile(file) as opened:
            require_columns(file, opened.schema_arrow.names, ("image", "label"))
            if not holds_images(opened.schema_arrow):
                raise DarkroomError(
                    f"{printable(str(file))}: its column image is {opened.schema_arrow.field('image').type}, not a struct "
                    "with bytes"
                )
            wanted = [name for name in opened.schema_arrow.names if name in ("label", *OPTIONAL)]
            return opened.metadata, read_by_groups(file, opened, wanted)
    except UNREADABLE as error:
        raise DarkroomError(
            f"{printable(str(file))} is not a Parquet file, or is damaged ({error}): fetch it again"
        ) from None


def class_names_of(file: Path, schema: pa.Schema) -> list[str] | None:
    """The names that Hugging Face's metadata give the labels, in order, where labels are numbers.

    Raises:
        DarkroomError: when the metadata can't be read.
    """
    if not pa.types.is_integer(schema.field("label").type):
        return None
    written = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(written).get("info", {}).get("features", {})
        names = features.get("label", {}).get("names")
    except (ValueError, AttributeError) as error:
        raise DarkroomError(
            f"{printable(str(file))}: its Hugging Face metadata make no sense ({error}): fetch it again"
        ) from None
    return [str(name) for name in names] if isinstance(names, list) else None


def read_labels(content: pa.Table, names: list[str] | None, faults: Faults) -> list[str | None]:
    """Each row's class; `UNLABELLED` where the number says so."""
    labels = trimmed(content["label"])
    faults.add([row for row, label in enumerate(labels) if label is None], "no label")
    if names is None:
        return labels
    known = {str(number): name for number, name in enumerate(names)} | {UNLABELLED: UNLABELLED}
    strange = [row for row, label in enumerate(labels) if label is not None and label not in known]
    faults.add(strange, f"a label that is not among the {len(names)} that the file names")
    return [known.get(label or "") for label in labels]
