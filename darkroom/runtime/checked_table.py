"""Parquet tables that others may have written or changed: read with their columns and types checked."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError


def read_checked_table(
    path: Path, schema: pa.Schema, where: str, remedy: str, optional: tuple[str, ...] = ()
) -> pa.Table:
    """Read some columns of a table.

    Args:
        path: the file.
        schema: the columns and their types; a field that is not nullable has a value in every row.
        where: its place, for the message.
        remedy: what the user can do, for the message.
        optional: columns that older tables lack; they are null then.

    Returns:
        The columns in the order of the schema, with its types.

    Raises:
        FileNotFoundError: when there is no such file.
        DarkroomError: when it can't be read, is no Parquet file, lacks a column, or has one of another type or without values.
    """
    try:
        found = pq.ParquetFile(path).read()
        for name in set(optional) - set(found.column_names):
            found = found.append_column(name, pa.nulls(len(found)))
        if lacking := [name for name in schema.names if name not in found.column_names]:
            raise DarkroomError(f"{where} is damaged (it has no column {', '.join(lacking)}): {remedy}")
        table = found.select(schema.names).cast(schema)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DarkroomError(f"{where} is damaged ({str(error).strip().splitlines()[0]}): {remedy}") from None
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise DarkroomError(
                f"{where} is damaged ({table[field.name].null_count:,} of {len(table):,} rows have no {field.name}): {remedy}"
            )
    return table
