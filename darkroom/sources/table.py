"""CSV and Parquet tables of images: of paths, or with the images in them."""

import os
import posixpath
import re
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import (
    OPTIONAL,
    UNREADABLE,
    Faults,
    as_text,
    csv_fault,
    in_label_order,
    read_by_groups,
    read_optional,
    require_columns,
    require_training,
    trimmed,
)
from darkroom.sources.folder import read_image_file
from darkroom.sources.names import require_distinct
from darkroom.sources.parquet_images import held_files, holds_images, list_held_tables
from darkroom.sources.source import Listing, SourceImage

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
    paths = _plain_paths(as_text(content["path"]), table.parent, faults)
    labels = trimmed(content["label"])
    faults.add([row for row, label in enumerate(labels) if label is None], "no label")
    splits, groups, times = read_optional(content, faults)
    _find_doubles(paths, labels, faults)
    faults.stop()
    first = dict(zip(reversed(labels), range(len(labels), 0, -1), strict=True))
    require_distinct({str(label): f"row {row:,}" for label, row in first.items()}, str(table))

    folder = f"{table.parent}/"
    images = []
    for path, label, split, group, time in zip(paths, labels, splits, groups, times, strict=True):
        file = Path(path if path.startswith("/") else folder + path)
        images.append(SourceImage(path, str(label), split, partial(read_image_file, file), file, None, group, time))
    classes = in_label_order({image.label for image in images})
    require_training(table, classes, splits)
    return Listing(classes, sorted(images, key=lambda image: image.path), [], [table])


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
    for row in [row for row, path in enumerate(plain) if ROUNDABOUT.search(path)]:
        plain[row] = posixpath.normpath(plain[row]).removeprefix(home)
    windows = [row for row, path in enumerate(plain) if "\\" in path and "/" not in path]
    windows = [row for row in windows if not os.path.lexists(home + plain[row])]  # such a name is a file's own on Linux
    if windows:
        faults.add(windows, f"a path that holds \\ and no / ({plain[windows[0]]!r}; write / between folders and files)")
    climbing = [row for row, path in enumerate(plain) if path == ".." or path.startswith("../")]
    faults.add([row for row, path in enumerate(plain) if "\0" in path], "a path that holds a zero byte")
    faults.add(climbing, "a path that climbs out of the table's folder (write it as an absolute path)")
    return plain


def _find_doubles(paths: list[str], labels: list[str | None], faults: Faults) -> None:
    """Note the paths that stand in more than one row."""
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


def list_table(path: Path, max_unpacked_bytes: int) -> Listing:
    """List a CSV or Parquet table of paths, a Parquet table that holds the images, or a folder of the latter.

    Raises:
        DarkroomError: when `path` is missing or no such table, or when something in it is wrong.
    """
    _require_table(path)
    if path.is_dir() or (_is_parquet(path) and holds_images(_schema(path))):
        return list_held_tables(path, max_unpacked_bytes)
    return list_path_table(path, _is_parquet(path))


def tables_alone(path: Path) -> dict[str, Path] | None:
    """The files of tables that hold their images, by name; None for a table of paths, whose images are files of their own.

    Raises:
        DarkroomError: when `path` is missing or a damaged Parquet file.
    """
    _require_table(path)
    if path.is_dir():
        return held_files(path)[0]
    return {path.name: path} if _is_parquet(path) and holds_images(_schema(path)) else None


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except UNREADABLE as error:
        raise DarkroomError(f"{path} is not a Parquet file, or is damaged ({error}): make it again") from None


def _require_table(path: Path) -> None:
    if not path.exists():
        raise DarkroomError(f"there is no {path}: ingest.path must name the table, a CSV or Parquet file")
    if not os.access(path, os.R_OK):
        raise DarkroomError(f"{path} can't be read: mend its permissions")
