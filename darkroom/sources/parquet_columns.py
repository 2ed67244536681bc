"""Columns of Parquet files, read so that a damaged row group is named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import UNREADABLE
from darkroom.sources.junk_files import printed


def read_by_groups(file: Path, opened: pq.ParquetFile, columns: list[str]) -> pa.Table:
    """Some columns of a file, read one row group after the other.

    Raises:
        DarkroomError: naming the row group that can't be read, counted from 1.
    """
    schema = opened.schema_arrow
    tables = [pa.schema([schema.field(name) for name in columns], schema.metadata).empty_table()]
    for group in range(opened.num_row_groups):
        try:
            tables.append(opened.read_row_group(group, columns=columns))
        except UNREADABLE as error:
            raise DarkroomError(f"{printed(str(file))}: {damaged_group(group, opened.num_row_groups, error)}") from None
    return pa.concat_tables(tables)


def damaged_group(group: int, groups: int, error: Exception) -> str:
    """Says on one line which row group, counted from 0, of how many is damaged, and what to do."""
    remedy = "fetch the file again, or write it anew without this row group"
    return f"row group {group + 1:,} of {groups:,} is damaged ({' '.join(str(error).split())}); {remedy}"
