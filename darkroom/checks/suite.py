"""Expectations as plain data, without Great Expectations: checks, and how they are made."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

# How many offenders an expectation names; the page shows more of them.
NAMED = 5


@dataclass(frozen=True)
class Check:
    """One expectation, in words and for Great Expectations.

    Attributes:
        key: its name in `validate.stop`; several checks may share one.
        name: in plain words; unique.
        table: `images`, `classes`, `overall` or `change`.
        kind: a class of `great_expectations.expectations`.
        settings: its arguments.
        allowed: the limit.
        is_minimum: whether `allowed` is the least or the most.
        unit: `count`, `pixels`, `share` (of one), `ratio` or `number`.
        remedy: what the user can do when it is broken.
        stops: whether it stops the line when it is broken; otherwise it warns.
        offenders: names of the first few that break it, the worst first.
        offending: how many there are.
    """

    key: str
    name: str
    table: str
    kind: str
    settings: dict[str, Any]
    allowed: float
    is_minimum: bool
    unit: str
    remedy: str
    stops: bool
    offenders: tuple[str, ...] = ()
    offending: int = 0


@dataclass(frozen=True)
class Suite:
    """Makes checks; `stop` has the keys of those that stop the line."""

    stop: tuple[str, ...]

    def none(
        self, key: str, name: str, kind: str, settings: dict[str, Any], remedy: str, offenders: tuple[str, ...]
    ) -> Check:
        """No row of the table of images may be counted as unexpected."""
        first, count = offenders[:NAMED], len(offenders)
        return Check(key, name, "images", kind, settings, 0, False, "count", remedy, key in self.stop, first, count)

    def at_least(
        self, key: str, name: str, place: str, least: float, unit: str, remedy: str, worst: pd.Series | None = None
    ) -> Check:
        """The least value in a column, given as `table.column`; `worst` are the values that break it, by name."""
        table, column = place.split(".")
        settings = {"column": column, "min_value": least}
        kind, stops = "ExpectColumnMinToBeBetween", key in self.stop
        return Check(key, name, table, kind, settings, least, True, unit, remedy, stops, *_named(worst, unit))

    def at_most(
        self, key: str, name: str, place: str, most: float, unit: str, remedy: str, worst: pd.Series | None = None
    ) -> Check:
        """The largest value in a column, likewise."""
        table, column = place.split(".")
        settings = {"column": column, "max_value": most}
        kind, stops = "ExpectColumnMaxToBeBetween", key in self.stop
        return Check(key, name, table, kind, settings, most, False, unit, remedy, stops, *_named(worst, unit))


def _named(worst: pd.Series | None, unit: str) -> tuple[tuple[str, ...], int]:
    """The first few as `name (value)`, or as `name` where there is no value, and how many there are."""
    if worst is None:
        return (), 0
    first = worst.head(NAMED)
    names = (
        str(name) if pd.isna(value) else f"{name} ({value:,.4g})" if unit == "number" else f"{name} ({value:,})"
        for name, value in zip(first.index, first.tolist(), strict=True)
    )
    return tuple(names), len(worst)
