"""CSV and Parquet tables of images: of paths, or with the images in them."""

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.candidate_files import PICTURE_SUFFIXES
from darkroom.sources.class_names import in_label_order
from darkroom.sources.columns import (
    OPTIONAL,
    UNREADABLE,
    Faults,
    class_labels,
    csv_fault,
    read_by_groups,
    read_optional,
    refuse_quotes,
    require_columns,
    require_training,
    trimmed,
)
from darkroom.sources.folder import read_files
from darkroom.sources.names import URL, url_remedy
from darkroom.sources.parquet_images import holds_images, list_parquet_images, parquet_files, read_parquet_images
from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind

ROUNDABOUT = re.compile(r"^/|(^|/)\.{1,2}(/|$)|//|/$")


def list_path_table(table: Path, parquet: bool) -> Listing:
    """List the files that a table names; a file that is not there is an image that can't be read.

    A relative path starts at the table's folder and stays below it; an absolute one may lead anywhere. Images are named by
    their path relative to that folder, or by the absolute one.

    Raises:
        DarkroomError: when the table can't be read, a column is missing, or rows are wrong: all of them, by number.
    """
    content = _read_parquet(table) if parquet else _read_csv(table)
    faults = Faults(table)
    if not parquet:
        refuse_quotes(content, faults)
    paths = _plain_paths(trimmed(content["path"]), table.parent, faults)
    labels = class_labels(content["label"], faults)
    splits, groups, times = read_optional(content, faults)
    _find_doubles(paths, labels, faults)
    faults.stop()

    images = [
        SourceImage(path, str(label), split, path, group=group, timestamp=time)
        for path, label, split, group, time in zip(paths, labels, splits, groups, times, strict=True)
    ]
    classes = in_label_order({image.label for image in images})
    require_training(table, classes, splits)
    return Listing(classes, sorted(images, key=lambda image: image.path), [], [table.name])


def _read_csv(table: Path) -> pa.Table:
    """Our columns of a CSV in UTF-8, as text."""
    try:
        with table.open("rb") as file:
            parse = pa.csv.ParseOptions(newlines_in_values=True)
            names = pa.csv.open_csv(file, parse_options=parse).schema.names
        require_columns(table, [name.strip() for name in names], ("path", "label"))
        wanted = [name for name in names if name.strip() in ("path", "label", *OPTIONAL)]
        types = {name: pa.string() for name in wanted}
        convert = pa.csv.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=False)
        content = pa.csv.read_csv(table, parse_options=parse, convert_options=convert)
    except UNREADABLE as error:
        raise DarkroomError(f"{table} can't be read as a CSV in UTF-8: {csv_fault(table, error)}") from None
    return content.rename_columns([name.strip() for name in content.column_names])


def _read_parquet(table: Path) -> pa.Table:
    try:
        with pq.ParquetFile(table) as opened:
            names = opened.schema_arrow.names
            require_columns(table, names, ("path", "label"))
            return read_by_groups(table, opened, [name for name in names if name in ("path", "label", *OPTIONAL)])
    except UNREADABLE as error:
        raise DarkroomError(f"{table} can't be read as Parquet, or is damaged ({error}): make it again") from None


def _plain_paths(paths: list[str | None], folder: Path, faults: Faults) -> list[str]:
    """Paths without detours, relative to the folder where they lead below it."""
    faults.add([row for row, path in enumerate(paths) if path is None], "no path")
    home = f"{folder.absolute()}/"
    plain = [path or "" for path in paths]
    if urls := [row for row, path in enumerate(plain) if URL.match(path)]:
        faults.add(
            urls, f"a URL, and only files are read ({plain[urls[0]]!r}; fetch them first, and write their paths)"
        )
    for row in [row for row, path in enumerate(plain) if ROUNDABOUT.search(path)]:
        plain[row] = posixpath.normpath(plain[row]).removeprefix(home)
    windows = [row for row, path in enumerate(plain) if "\\" in path and "/" not in path]
    windows = [row for row in windows if not os.path.lexists(home + plain[row])]  # such a name is a file's own on Linux
    if windows:
        faults.add(
            windows, f"a path that contains \\ and no / ({plain[windows[0]]!r}; write / between folders and files)"
        )
    climbing = [row for row, path in enumerate(plain) if path == ".." or path.startswith("../")]
    faults.add([row for row, path in enumerate(plain) if "\0" in path], "a path that contains a zero byte")
    faults.add(climbing, "a path that climbs out of the table's folder (write it as an absolute path)")
    return plain


def _find_doubles(paths: list[str], labels: list[str | None], faults: Faults) -> None:
    """Note the paths that are in more than one row."""
    first: dict[str, int] = {}
    doubled: list[int] = []
    conflicting: list[int] = []
    for row, path in enumerate(paths):
        earlier = first.setdefault(path, row)
        if earlier != row and path:
            (doubled if labels[row] == labels[earlier] else conflicting).append(row)
    faults.add(doubled, "the path of an earlier row (take one of them out)")
    if conflicting:
        row = conflicting[0]
        earlier = first[paths[row]]
        example = f"{paths[row]!r} is {labels[earlier]!r} in row {earlier + 1:,} and {labels[row]!r} in row {row + 1:,}"
        faults.add(conflicting, f"the path of an earlier row under another label ({example}; keep one)")


def list_table(location: Location) -> Listing:
    """List a CSV or Parquet table of paths, a Parquet table that contains the images, or a folder of the latter.

    Raises:
        DarkroomError: when the path is missing or no such table, or when something in it is wrong.
    """
    if _holds_images(location.path):
        return list_parquet_images(location)
    return list_path_table(location.path, _is_parquet(location.path))


def _files_of_table(location: Location) -> list[str] | None:
    """The Parquet files that hold their images; None for a table of paths.

    Raises:
        DarkroomError: when the path is missing or a damaged Parquet file.
    """
    return list(parquet_files(location.path)[0]) if _holds_images(location.path) else None


def _read_table(location: Location, images: Sequence[SourceImage]) -> Reader:
    in_tables = any(image.place is not None for image in images)
    return read_parquet_images(location, images) if in_tables else read_files(location, images)


def _is_table(path: Path) -> bool:
    """Whether a file is Parquet or named as a CSV, or a folder has Parquet files in it and no pictures beside them."""
    if path.is_dir():
        tables = [*path.glob("*.parquet"), *path.glob("*/*.parquet")]
        beside = {file.suffix.lower() for parent in {table.parent for table in tables} for file in parent.iterdir()}
        return bool(tables) and beside.isdisjoint(PICTURE_SUFFIXES)
    return _is_parquet(path) or path.suffix.lower() == ".csv"


def _holds_images(path: Path) -> bool:
    if not path.exists():
        raise DarkroomError(
            f"there is no {path}: ingest.path must name the table, a CSV or Parquet file{url_remedy(path)}"
        )
    if not os.access(path, os.R_OK):
        raise DarkroomError(f"{path} can't be read: fix its permissions")
    if path.is_dir():
        return True
    try:
        return _is_parquet(path) and holds_images(pq.read_schema(path))
    except UNREADABLE as error:
        raise DarkroomError(f"{path} is not a Parquet file, or is damaged ({error}): make it again") from None


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


TABLE = SourceKind("table", detect=_is_table, files=_files_of_table, list=list_table, reader=_read_table)
