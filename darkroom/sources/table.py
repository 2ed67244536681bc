"""Tables of images, told apart by what they are: CSV or Parquet, of paths or with the images in them."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import UNREADABLE
from darkroom.sources.parquet_image_columns import holds_images
from darkroom.sources.parquet_images import held_files, list_held_tables
from darkroom.sources.path_table import list_path_table
from darkroom.sources.source import Listing


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
