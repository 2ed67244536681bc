"""Times in tables: what has one meaning is read, and everything else is refused by name."""

import datetime
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.columns import Faults, read_timestamps


def refused(*values: Any, kind: pa.DataType | None = None) -> str:
    """The message about a column."""
    faults = Faults(Path("t"))
    read_timestamps(pa.chunked_array([pa.array(values, kind)]), faults)
    with pytest.raises(DarkroomError) as raised:
        faults.stop()
    return str(raised.value).split("\n", 1)[1]


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("s", "Europe/Paris"), pa.timestamp("ms", "UTC")])
def test_parquet_times_of_any_unit_and_zone_are_utc(kind: pa.DataType) -> None:
    time = datetime.datetime(2026, 7, 1, 12, tzinfo=UTC)
    column = pa.chunked_array([pa.array([time, None], pa.timestamp("us", "UTC")).cast(kind)])
    assert read_timestamps(column, Faults(Path())) == [time, None]


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-05-31", (2026, 5, 31)),
        ("2026-W22-7", (2026, 5, 31)),
        ("2026-05-31 12:30", (2026, 5, 31, 12, 30)),
        ("20260531T123000Z", (2026, 5, 31, 12, 30)),
        ("2026-05-31T23:30:00-02:00", (2026, 6, 1, 1, 30)),
        ("1895-03-22", (1895, 3, 22)),
        ("20260531", (2026, 5, 31)),
        ("202605311200", (2026, 5, 31, 12)),
        ("20260531120005", (2026, 5, 31, 12, 0, 5)),
        ("631152000", (1990, 1, 1)),
        ("1767322800.5", (2026, 1, 2, 3, 0, 0, 500000)),
        ("1767322800000", (2026, 1, 2, 3)),
        ("946684800000", (2000, 1, 1)),  # twelve digits, and no date
        (20260531120000, (2026, 5, 31, 12)),
        (20260531.0, (2026, 5, 31)),  # a float in a Parquet table: pandas writes whole numbers so where one is missing
        (1767322800000.0, (2026, 1, 2, 3)),
    ],
)
def test_a_time_with_one_meaning(value: Any, time: tuple[Any, ...]) -> None:
    column = pa.chunked_array([pa.array([value, None])])
    assert read_timestamps(column, Faults(Path())) == [datetime.datetime(*time).replace(tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("yesterday", "not ISO 8601"),
        ("31.05.2026", "not ISO 8601"),
        ("05/31/2026", "not ISO 8601"),
        ("2026053112:00", "not ISO 8601"),
        ("2026", "a year alone"),
        ("202605", "a year and a month alone"),
        ("20260531.0", "with decimals"),
        ("20260532", "these digits are no day"),
        ("20260531250000", "these digits are no day"),
        ("46173", "it would be 2026-05-31: format the column as text or as dates"),
        ("46173.5", "it would be 2026-05-31"),
        ("0", "from 1990 to a year from now"),
        ("-1767322800", "from 1990 to a year from now"),
        ("1767322800000000", "from 1990 to a year from now"),  # microseconds
        ("2612-01-12", "later than a year from now"),
        ("26120112", "later than a year from now"),
        ("20260112000000000", "from 1990 to a year from now"),
        ("0026-05-31", "before the first photograph, of 1826"),
    ],
)
def test_a_time_with_no_meaning_or_several_is_refused_by_name(text: str, what: str) -> None:
    message = refused("2026-01-01", text, text)
    assert what in message and f"({text!r}): rows 2, 3" in message


def test_a_column_of_dates_and_counts_is_refused() -> None:
    assert refused("2026-01-01", "20260102", "1767322800", None, "1767322800000") == (
        "  - timestamps of more than one form, a date ('2026-01-01') and seconds since 1970 ('1767322800') and "
        "milliseconds since 1970 ('1767322800000'): write all in one: rows 3, 5"
    )


def test_parquet_times_in_no_year_and_in_the_future_are_refused() -> None:
    for seconds in (10**11, 10**15):
        assert "in no year that there is" in refused(0, seconds, None, kind=pa.timestamp("s"))
    message = refused(0, 20_260_531_120_000, None, kind=pa.timestamp("ms"))
    assert message == "  - a timestamp later than a year from now: row 2"


def test_dates_in_parquet_are_midnight() -> None:
    column = pa.chunked_array([[datetime.date(2026, 5, 31)]])
    assert read_timestamps(column, Faults(Path())) == [datetime.datetime(2026, 5, 31, tzinfo=UTC)]
