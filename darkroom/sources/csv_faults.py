"""Why a CSV can't be read, in words that say where and what to do."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from darkroom.sources.junk_files import printed


def csv_fault(table: Path, error: Exception) -> str:
    """The fault of a CSV that pyarrow refused with an error, with its row: the first below the header is row 1."""
    try:
        content = table.read_bytes()
        content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        row = _row(content.count(b"\n", 0, wrong.start))
        return f"{row} holds the byte 0x{content[wrong.start]:02x}; save it as UTF-8"
    except OSError as wrong:
        return str(wrong)
    text = str(error)
    try:  # on one thread, where pyarrow knows the row; it counts the header as row 1
        options = pa.csv.ReadOptions(use_threads=False)
        pa.csv.read_csv(table, read_options=options, parse_options=pa.csv.ParseOptions(newlines_in_values=True))
    except pa.ArrowInvalid as again:
        text = re.sub(r"Row #(\d+)", lambda found: _row(int(found[1]) - 1), str(again))
    remedy = "; put values that hold commas between quotation marks" if "columns, got" in text else ""
    return printed(text) + remedy


def _row(number: int) -> str:
    return f"row {number:,} (the first below the header is row 1)" if number else "the header"
