"""Times as tables have them: what is read as a time, what is refused, and why."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Notes a fault of some rows, counted from 0.
AddFault = Callable[[Sequence[int], str], None]

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# Python would take a ninth digit for what divides the day from the time of day.
NINE_DIGITS = re.compile(r"[0-9]{9}")
# A number of so many digits is a date. It can't be a time since 1970 as well: from 1990 to next year these have 9 or 10 digits
# as seconds and 12 or 13 as milliseconds, and twelve digits that begin with a year are milliseconds of before 1979.
DATE_FORMS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
FIRST_PHOTOGRAPH = datetime(1826, 1, 1, tzinfo=UTC)
FIRST_SINCE_1970 = datetime(1990, 1, 1, tzinfo=UTC)
# Day 0 of spreadsheets, and their days of the years 1990 to 2100.
SPREADSHEET_START, SPREADSHEET_DAYS = date(1899, 12, 30), range(32_874, 73_416)
# The microseconds from 1970 to the year 3938, and back to the year 1.
FARTHEST = int((datetime(1970, 1, 1) - datetime(1, 1, 2)).total_seconds() * 1_000_000)

DATE, SECONDS, MILLISECONDS = "a date", "seconds since 1970", "milliseconds since 1970"
BEFORE_PHOTOGRAPHS = "a timestamp before the first photograph, of 1826"
NOT_ISO = "a timestamp that is not ISO 8601, as in 2026-05-31T12:00:00Z"


def a_year_from_now() -> datetime:
    """The last time that an image may have: clocks are set wrong, and numbers taken for times lie farther ahead."""
    return datetime.now(UTC) + timedelta(days=366)


def times_of_texts(texts: Sequence[str | None], add: AddFault) -> list[datetime | None]:
    """Times in UTC, from ISO 8601, 8, 12 or 14 digits (a date), and seconds or milliseconds since 1970.

    Times without a zone are taken as UTC. A number counts since 1970 only where that is between 1990 and a year from now, so
    that every text has one meaning or none; a column has dates, seconds or milliseconds, and no two of them.

    Args:
        texts: without blanks at the ends; None where a row has none.
        add: is given the faults.

    Returns:
        A time or None for each text.
    """
    latest = a_year_from_now()
    times: list[datetime | None] = [None] * len(texts)
    by_form: dict[str, list[int]] = {}
    faults: dict[str, tuple[str, list[int]]] = {}
    for row, text in enumerate(texts):
        if text is None:
            continue
        form, time = _time(text, latest)
        if time is None:
            faults.setdefault(form, (text, []))[1].append(row)
        else:
            times[row] = time
            by_form.setdefault(form, []).append(row)
    for fault, (text, rows) in faults.items():
        add(rows, f"{fault} ({text!r})")
    if len(by_form) > 1:
        forms = sorted(by_form, key=lambda form: -len(by_form[form]))
        named = " and ".join(f"{form} ({texts[by_form[form][0]]!r})" for form in forms)
        rows = sorted(row for form in forms[1:] for row in by_form[form])
        add(rows, f"timestamps of more than one form, {named}: write all in one")
    return times


def _time(text: str, latest: datetime) -> tuple[str, datetime | None]:
    """The form and the time of a text; or what is wrong with it, and None."""
    if not NUMBER.fullmatch(text):
        time = None if NINE_DIGITS.match(text) else _parsed(datetime.fromisoformat, text)
        return _in_range(time, latest) if time else (NOT_ISO, None)
    form = DATE_FORMS.get(len(text)) if text.isdigit() else None
    if form and (time := _parsed(lambda digits: datetime.strptime(digits, form), text)):
        return _in_range(time, latest)
    number = float(text)
    for unit, seconds in ((SECONDS, number), (MILLISECONDS, number / 1000)):
        if FIRST_SINCE_1970.timestamp() <= seconds <= latest.timestamp():
            return unit, datetime.fromtimestamp(seconds, UTC)
    return f"{NOT_ISO}: {_number_fault(text)}", None


def _parsed(parse: Callable[[str], datetime], text: str) -> datetime | None:
    try:
        time = parse(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _in_range(time: datetime, latest: datetime) -> tuple[str, datetime | None]:
    if time > latest:
        return "a timestamp later than a year from now", None
    return (DATE, time) if time >= FIRST_PHOTOGRAPH else (BEFORE_PHOTOGRAPHS, None)


def _number_fault(text: str) -> str:
    """What a number may have been before it became a number, and what to do."""
    whole, _, decimals = text.partition(".")
    if len(whole) in (8, 14) and whole[:2] in ("19", "20"):
        return "a date that is written with decimals, or is no day" if decimals else "these digits are no day"
    if len(whole) == 4:
        return "a year alone: write a day of it"
    if len(whole) == 6:
        return "a year and a month alone: write a day of it"
    if len(whole) == 5 and int(whole) in SPREADSHEET_DAYS:
        day = SPREADSHEET_START + timedelta(days=int(whole))
        return f"as a spreadsheet's number of a day it would be {day}: format the column as text or as dates, and save it again"
    return (
        "a number is a date of 8, 12 or 14 digits, or counts seconds or milliseconds since 1970, "
        "from 1990 to a year from now"
    )


def times_of_column(column: pa.ChunkedArray, add: AddFault) -> list[datetime | None]:
    """Times in UTC from a column of Parquet's timestamps or dates; those without a zone are taken as UTC.

    Args:
        column: of such a type.
        add: is given the faults.
    """
    try:
        stamps = pc.cast(column, options=pc.CastOptions(pa.timestamp("us", tz="UTC"), allow_time_truncate=True))
    except pa.ArrowInvalid:  # more microseconds than 64 bits can count
        add(range(len(column)), "timestamps of which one or more are in no year that there is")
        return [None] * len(column)
    far = pc.fill_null(pc.greater(pc.abs(stamps.cast(pa.int64())), FARTHEST), False)
    add(np.flatnonzero(far.to_numpy()).tolist(), "a timestamp in no year that there is")
    late = pc.fill_null(pc.greater(stamps, pa.scalar(a_year_from_now(), stamps.type)), False)
    late = pc.and_not(late, far)
    add(np.flatnonzero(late.to_numpy()).tolist(), "a timestamp later than a year from now")
    early = pc.fill_null(pc.less(stamps, pa.scalar(FIRST_PHOTOGRAPH, stamps.type)), False)
    early = pc.and_not(early, far)
    add(np.flatnonzero(early.to_numpy()).tolist(), BEFORE_PHOTOGRAPHS)
    found: list[Any] = pc.if_else(far, None, stamps).to_pylist()
    return [None if value is None else value.astimezone(UTC) for value in found]


def whole_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of floats that are all whole, as pandas makes of a column with gaps, as whole numbers; any other as it is."""
    if not pa.types.is_floating(column.type):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column
