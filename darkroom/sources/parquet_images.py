"""Parquet tables that hold the images themselves, as Hugging Face's data sets do: image {bytes, path} and label."""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.class_names import in_label_order
from darkroom.sources.columns import (
    OPTIONAL,
    UNREADABLE,
    Faults,
    class_labels,
    read_by_groups,
    read_optional,
    require_columns,
    require_training,
)
from darkroom.sources.image_files import walk
from darkroom.sources.names import as_utf8, junk_reason
from darkroom.sources.row_groups import RowGroups, image_stamps
from darkroom.sources.source import Ignored, Listing, Location, Reader, SourceImage
from darkroom.sources.split_names import split_of

UNLABELLED = "-1"


def parquet_files(path: Path) -> tuple[dict[str, Path], list[Ignored]]:
    """The Parquet files at a path, by their path in it and sorted, and the other files there.

    Raises:
        DarkroomError: when the folder can't be listed.
    """
    if path.is_file():
        return {path.name: path}, []
    paths, _, ignored = walk(path)
    files = {}
    for relative in sorted(paths):
        reason = junk_reason(*relative.rpartition("/")[::2]) or (
            None if relative.endswith(".parquet") else "not a Parquet file"
        )
        if reason:
            ignored.append(Ignored(as_utf8(relative), reason))
        else:
            files[relative] = path / relative
    return files, ignored


def list_parquet_images(location: Location) -> Listing:
    """List the images in a Parquet file, or in all those of a folder.

    The split is the file's, by its name (`train-00000-of-00002.parquet`) or its folder's, unless there is a column for it. An
    image's name is its split and its `image.path`; where that is empty or is there twice, the file and the row, counted from 0.
    Labels get the names that the file's own `ClassLabel` has for them, in its order; -1 is no label. Every image is read once,
    for its checksum.

    Raises:
        DarkroomError: when a file is damaged or lacks a column, when files disagree about the names of classes, when rows are
            wrong, or when all images together take more than `max_unpacked_bytes`.
    """
    path = location.path
    files, ignored = parquet_files(path)
    if not files:
        raise DarkroomError(
            f"{path} contains no Parquet files: ingest.path must name a table, or a folder of such files"
        )
    found: list[tuple[SourceImage, str]] = []
    declared: list[list[str] | None] = []
    left = location.max_unpacked_bytes
    for relative, file in files.items():
        metadata, content = read_columns(file)
        left -= _unpacked_bytes(metadata)
        if left < 0:
            limit = f"{location.max_unpacked_bytes / (1 << 30):g} GiB"
            raise DarkroomError(
                f"{path} unpacks to more than ingest.max_unpacked_gib, {limit}: raise it if that is right"
            )
        declared.append(class_names_of(file, content.schema))
        if declared[-1] != declared[0]:
            raise DarkroomError(
                f"{printable(str(file))} has other classes than {printable(next(iter(files)))}: use files of one "
                "data set"
            )
        found += _images_of(file, relative, metadata.num_row_groups, content, declared[0])

    ignored += [Ignored(image.path, "without a label") for image, _ in found if image.label == UNLABELLED]
    found = [pair for pair in found if pair[0].label != UNLABELLED]
    counts = Counter(image.path for image, _ in found)
    images = [image._replace(path=own) if counts[image.path] > 1 else image for image, own in found]
    images.sort(key=lambda image: image.path)
    classes = tuple(declared[0] or in_label_order({image.label for image in images}))
    require_training(path, classes, [image.split for image in images])
    return Listing(classes, images, sorted(ignored, key=lambda item: item.path), list(files))


def read_parquet_images(location: Location, images: Sequence[SourceImage]) -> Reader:
    """Read images at row group, row in it, and row in the file, each counted from 0."""
    base, groups = location.base, RowGroups()
    files = {name: base / name for name in sorted({image.file or "" for image in images})}
    order = [(files[image.file or ""], (image.place or (0,))[0]) for image in images]
    groups.expect(order, sum(_unpacked_bytes(pq.read_metadata(file)) for file in files.values()))

    def read(image: SourceImage) -> bytes:
        file, (group, row, row_in_file) = files[image.file or ""], image.place or (0, 0, 0)
        if image.stamp is None:
            raise OSError(f"row {row_in_file + 1} of {file.name} contains no image (the first row is row 1)")
        return groups.read((file, group), row)

    return read


def _images_of(
    file: Path, relative: str, row_groups: int, content: pa.Table, names: list[str] | None
) -> Iterator[tuple[SourceImage, str]]:
    """Each image of a file, by its own path, and a name by its row for where that path is there twice.

    Args:
        file: the Parquet file.
        relative: its name in the source.
        row_groups: how many it has.
        content: its columns but for the images.
        names: of the classes, where labels are numbers.
    """
    faults = Faults(file)
    labels = read_labels(content, names, faults)
    splits, groups, times = read_optional(content, faults)
    faults.stop()
    split_of_file = _split_of(relative)
    stamps = list(image_stamps(file, row_groups))
    if len(stamps) != len(labels):
        raise DarkroomError(
            f"{printable(str(file))} is damaged: {len(stamps)} images have {len(labels)} labels; fetch it again"
        )
    for at, (group, row, name, stamp) in enumerate(stamps):
        split = splits[at] or split_of_file
        row_name = f"{relative.removesuffix('.parquet')}/{at:07}"
        plain = posixpath.normpath(f"/{name}").strip("/") if name else ""
        path = "/".join(part for part in (split, plain) if part) if plain else row_name
        image = SourceImage(path, str(labels[at]), split, relative, (group, row, at), stamp, groups[at], times[at])
        yield image, f"{row_name}-{posixpath.basename(plain)}" if plain else row_name


def _unpacked_bytes(metadata: pq.FileMetaData) -> int:
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _split_of(relative: str) -> str | None:
    """The split that a file's name begins with, or else the name of a folder that it is in."""
    *folders, name = relative.lower().split("/")
    words = [re.split(r"[-._]", name)[0], *reversed(folders)]
    return next(filter(None, map(split_of, words)), None)


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
    """Each row's class; `UNLABELLED` where the number is -1."""
    labels = class_labels(content["label"], faults)
    if names is None:
        return labels
    known = {str(number): name for number, name in enumerate(names)} | {UNLABELLED: UNLABELLED}
    unknown = [row for row, label in enumerate(labels) if label is not None and label not in known]
    faults.add(unknown, f"a label that is not among the {len(names)} in the file's own list")
    return [known.get(label or "") for label in labels]
