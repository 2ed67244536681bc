"""A table of others is what its reader takes it for, or the message says what it is."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("size", pa.int32())])


def refused(path: Path) -> str:
    with pytest.raises(DarkroomError) as caught:
        read_checked_table(path, SCHEMA, "the table", "make it again")
    message = str(caught.value)
    assert message.startswith("the table is damaged (") and message.endswith("): make it again")
    return message.removeprefix("the table is damaged (").removesuffix("): make it again")


def test_columns_come_in_the_order_and_with_the_types_of_the_schema(tmp_path: Path) -> None:
    pq.write_table(pa.table({"more": [1.5], "size": [7], "id": ["a"]}), tmp_path / "x.parquet")
    found = read_checked_table(tmp_path / "x.parquet", SCHEMA, "the table", "make it again")
    assert found.schema == SCHEMA
    assert found.to_pylist() == [{"id": "a", "size": 7}]


def test_an_optional_column_that_is_not_there_is_null(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "x.parquet")
    found = read_checked_table(tmp_path / "x.parquet", SCHEMA, "the table", "make it again", ("size",))
    assert found.to_pylist() == [{"id": "a", "size": None}]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"id": ["a"]}, "it has no column size"),
        ({"id": [None, "b"], "size": [1, 2]}, "Casting field 'id' with null values to non-nullable"),
        ({"id": ["a"], "size": ["many"]}, "Failed to parse string: 'many' as a scalar of type int32"),
        ({"id": ["a"], "size": [2**40]}, "Integer value 1099511627776 not in range: -2147483648 to 2147483647"),
    ],
)
def test_another_table_is_named(tmp_path: Path, columns: dict[str, list[object]], says: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert refused(tmp_path / "x.parquet") == says


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert refused(tmp_path / "empty") == "Parquet file size is 0 bytes"
    (tmp_path / "text").write_text("no table at all")
    assert refused(tmp_path / "text").startswith("Parquet magic bytes not found in footer.")
    assert "irectory" in refused(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_checked_table(tmp_path / "none", SCHEMA, "the table", "make it again")
