"""The columns of a table of images: what they mean, and every mistake in them with the rows where it is."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.class_names import folded
from darkroom.sources.split_names import SPLIT_WORDS, split_of
from darkroom.sources.timestamps import times_of_column, times_of_texts, whole_numbers

# How pandas writes a missing value as text.
MISSING = ("nan", "<na>")
# What a spreadsheet writes where a formula failed.
SPREADSHEET_ERRORS = ("#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!")
OPTIONAL = ("split", "group", "timestamp")
# What pyarrow raises for tables that are damaged, or hold what it can't turn into Python's objects.
UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


class Faults:
    """Collects what is wrong with a table, to report it all at once."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._lines: list[str] = []

    def add(self, rows: Sequence[int], what: str) -> None:
        """Note a fault of some rows, counted from 0; of none, it is no fault."""
        if rows:
            listed = ", ".join(f"{row + 1:,}" for row in rows[:10])
            more = f", … ({len(rows):,} in all)" if len(rows) > 10 else ""
            self._lines.append(f"{what}: {'row' if len(rows) == 1 else 'rows'} {listed}{more}")

    def stop(self) -> None:
        """Raise a DarkroomError with all faults, if there are any."""
        if self._lines:
            raise DarkroomError(
                f"{self._table} can't be used as it is (the first row below the header is row 1):\n"
                + "\n".join(f"  - {line}" for line in self._lines)
            )


def as_text(column: pa.ChunkedArray) -> list[str | None]:
    """The values of a column, numbers too, as text; None where there is nothing, or an empty text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return [text or None for text in column.cast(pa.string()).to_pylist()]
    except UNREADABLE as error:
        raise DarkroomError(
            f"a column of the type {column.type}, where text in UTF-8 or numbers should be ({error})"
        ) from None


def trimmed(column: pa.ChunkedArray) -> list[str | None]:
    """The same, without blanks at the ends, which hand-made tables have after their commas."""
    return [text and (text.strip() or None) for text in as_text(column)]


def class_labels(column: pa.ChunkedArray, faults: Faults) -> list[str | None]:
    """The label of each row, without blanks at its ends; a missing one is a fault, as an empty text or written as `nan`."""
    labels = trimmed(column)
    plain = {label: folded(label) if label else "" for label in set(labels)}
    labels = [label if plain[label] else None for label in labels]
    faults.add([row for row, label in enumerate(labels) if label is None], "no label")
    _refuse_missing("label", labels, faults, "take these rows out, or label them")
    return labels


def _refuse_missing(name: str, values: Sequence[str | None], faults: Faults, remedy: str) -> None:
    """Note the values with which programs write that there is none."""
    plain = {value: folded(value or "") for value in set(values)}
    missing = [row for row, value in enumerate(values) if plain[value] in MISSING]
    faults.add(missing, f"the {name} nan, with which programs write that there is none ({remedy})")
    if failed := [row for row, value in enumerate(values) if plain[value] in SPREADSHEET_ERRORS]:
        faults.add(failed, f"the {name} {values[failed[0]]!r}, a failed formula of a spreadsheet ({remedy})")


def refuse_quotes(content: pa.Table, faults: Faults) -> None:
    """Note the values of a CSV whose quotation marks come after a blank, and would be part of the value."""
    for name in content.column_names:
        quoted = pc.fill_null(pc.match_substring_regex(content[name], r'^\s+".*"\s*$'), False)
        faults.add(
            np.flatnonzero(quoted.to_numpy()).tolist(),
            f"a blank before the quotation marks of a {name} (take it out: a value between them begins right behind the comma)",
        )


def read_optional(
    content: pa.Table, faults: Faults
) -> tuple[list[str | None], list[str | None], list[datetime | None]]:
    """Split, group and timestamp of each row, all None for a column that the table does not have."""
    nothing: list[None] = [None] * content.num_rows
    names = content.column_names
    return (
        read_splits(trimmed(content["split"]), faults) if "split" in names else list(nothing),
        _groups(trimmed(content["group"]), faults) if "group" in names else list(nothing),
        read_timestamps(content["timestamp"], faults) if "timestamp" in names else list(nothing),
    )


def _groups(values: list[str | None], faults: Faults) -> list[str | None]:
    """The groups; a missing one that is written out would make one group of all images without."""
    _refuse_missing("group", values, faults, "leave the value empty where an image has no group")
    return values


def read_splits(values: list[str | None], faults: Faults) -> list[str | None]:
    """`train`, `validation` or `test` by the names that split folders may have; None where a row has none."""
    splits = [None if text is None else split_of(text) for text in values]
    unknown = [row for row, (text, split) in enumerate(zip(values, splits, strict=True)) if text and not split]
    if unknown:
        names = ", ".join(sorted({repr(values[row]) for row in unknown})[:5])
        faults.add(unknown, f"a split that is none of {', '.join(SPLIT_WORDS)} ({names})")
    return splits


def read_timestamps(column: pa.ChunkedArray, faults: Faults) -> list[datetime | None]:
    """Times in UTC, from Parquet's timestamps and dates, or as `darkroom.sources.timestamps` reads text and numbers."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return times_of_column(column, faults.add)
    return times_of_texts(trimmed(whole_numbers(column)), faults.add)


def require_training(table: Path, classes: Sequence[str], splits: Sequence[str | None]) -> None:
    """Stop where there is nothing to learn from.

    Raises:
        DarkroomError: for fewer than two classes, or when every row is for validation or test.
    """
    if len(classes) < 2:
        raise DarkroomError(f"{table} has {len(splits):,} images and the classes {list(classes)}: it takes two or more")
    if splits and not {"train", None} & set(splits):
        raise DarkroomError(
            f"{table} puts every image into {' and '.join(sorted(set(map(str, splits))))}: none to train on"
        )


def require_columns(table: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    """Stop where a column is missing, or one of ours is there twice.

    Raises:
        DarkroomError: naming the columns that are there.
    """
    if missing := [name for name in needed if name not in found]:
        raise DarkroomError(
            f"{printable(str(table))} has no column {' and no column '.join(missing)}; its columns are "
            f"{printable(', '.join(found))}: {_remedy(found, missing)}a table of images "
            "needs path and label (or image and label, where it contains the images), divided by commas in a CSV"
        )
    if doubled := [name for name in (*needed, *OPTIONAL) if list(found).count(name) > 1]:
        raise DarkroomError(f"{table} has the column {doubled[0]} twice: take one of them out")


def _remedy(found: Sequence[str], missing: Sequence[str]) -> str:
    """What the headers that are there suggest."""
    for mark, name in ((";", ";"), ("\t", "tabs")):
        if len(found) == 1 and mark in found[0]:
            return f"it is divided by {name}: save it divided by commas; "
    written = {name.strip().lower(): name.strip() for name in found}
    return "".join(f"write {name} for {printable(written[name])}; " for name in missing if name in written)


def csv_fault(table: Path, error: Exception) -> str:
    """The fault of a CSV that pyarrow refused with an error, with its row: the first below the header is row 1."""
    try:
        content = table.read_bytes()
        content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        row = _row(content.count(b"\n", 0, wrong.start))
        return f"{row} contains the byte 0x{content[wrong.start]:02x}; save it as UTF-8"
    except OSError as wrong:
        return str(wrong)
    text = str(error)
    try:  # on one thread, where pyarrow knows the row; it counts the header as row 1
        options = pa.csv.ReadOptions(use_threads=False)
        pa.csv.read_csv(table, read_options=options, parse_options=pa.csv.ParseOptions(newlines_in_values=True))
    except pa.ArrowInvalid as again:
        text = re.sub(r"Row #(\d+)", lambda found: _row(int(found[1]) - 1), str(again))
    remedy = "; put values that hold commas between quotation marks" if "columns, got" in text else ""
    return printable(text) + remedy


def _row(number: int) -> str:
    return f"row {number:,} (the first below the header is row 1)" if number else "the header"


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
            raise DarkroomError(
                f"{printable(str(file))}: {damaged_group(group, opened.num_row_groups, error)}"
            ) from None
    return pa.concat_tables(tables)


def damaged_group(group: int, groups: int, error: Exception) -> str:
    """Says on one line which row group, counted from 0, of how many is damaged, and what to do."""
    remedy = "fetch the file again, or write it anew without this row group"
    return f"row group {group + 1:,} of {groups:,} is damaged ({' '.join(str(error).split())}); {remedy}"
