"""Expectations as plain data, without Great Expectations: a check, how one is made, and the outcome of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What is checked: tables by name, each its columns by name, which are equally long.
Table = dict[str, list[Any]]
Tables = dict[str, Table]
# How many examples of a broken expectation are listed.
EXAMPLES = 5


@dataclass(frozen=True)
class Check:
    """One expectation, for people and for Great Expectations.

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
        examples: names of the first few that break it, the worst first.
        broken_by: how many break it.
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
    examples: tuple[str, ...] = ()
    broken_by: int = 0


@dataclass(frozen=True)
class Worst:
    """What breaks an expectation, the worst first.

    Attributes:
        first: names of some, each with its value, or None where there is none.
        number: how many there are.
    """

    first: tuple[tuple[str, float | None], ...] = ()
    number: int = 0


NOTHING = Worst()


def all_of(names: Sequence[str]) -> Worst:
    """Names without values."""
    return Worst(tuple((name, None) for name in names[:EXAMPLES]), len(names))


@dataclass(frozen=True)
class Suite:
    """Makes checks; `stop` has the keys of those that stop the line."""

    stop: tuple[str, ...]

    def none(
        self, key: str, name: str, kind: str, settings: dict[str, Any], remedy: str, violations: tuple[str, ...]
    ) -> Check:
        """No row of the table of images may be counted as unexpected."""
        first, number = violations[:EXAMPLES], len(violations)
        return Check(key, name, "images", kind, settings, 0, False, "count", remedy, key in self.stop, first, number)

    def at_least(
        self, key: str, name: str, column: str, least: float, unit: str, remedy: str, worst: Worst = NOTHING
    ) -> Check:
        """The smallest value of a column, given as `table.column`; `worst` are those below `least`."""
        table, column = column.split(".")
        settings = {"column": column, "min_value": least}
        kind, stops = "ExpectColumnMinToBeBetween", key in self.stop
        return Check(key, name, table, kind, settings, least, True, unit, remedy, stops, *_first(worst, unit))

    def at_most(
        self, key: str, name: str, column: str, most: float, unit: str, remedy: str, worst: Worst = NOTHING
    ) -> Check:
        """The largest value of a column, given as `table.column`; `worst` are those above `most`."""
        table, column = column.split(".")
        settings = {"column": column, "max_value": most}
        kind, stops = "ExpectColumnMaxToBeBetween", key in self.stop
        return Check(key, name, table, kind, settings, most, False, unit, remedy, stops, *_first(worst, unit))


def _first(worst: Worst, unit: str) -> tuple[tuple[str, ...], int]:
    """The first few as `name (value)`, or as `name` where there is no value, and how many there are."""
    names = (
        name if value is None else f"{name} ({value:,.4g})" if unit == "number" else f"{name} ({value:,})"
        for name, value in worst.first[:EXAMPLES]
    )
    return tuple(names), worst.number


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check.

    Attributes:
        check: what was expected.
        status: `passed`, `failed`, or `errored` when it could not be checked.
        found: the number that was compared with `check.allowed`; None when errored.
        error: why it could not be checked; empty otherwise.
    """

    check: Check
    status: str
    found: float | None
    error: str

    @property
    def stops_the_line(self) -> bool:
        """What could not be checked stops the line whatever `validate.stop` has, since nothing is known of it."""
        return self.status == "errored" or (self.status == "failed" and self.check.stops)

    @property
    def result(self) -> str:
        """For people: `met`, `broken`, `warning` or `could not be checked`."""
        words = {"passed": "met", "failed": "broken" if self.stops_the_line else "warning"}
        return words.get(self.status, "could not be checked")

    @property
    def text(self) -> str:
        """Found and allowed."""
        return f"found {self.found_text}, allowed {self.allowed_text}"

    @property
    def found_text(self) -> str:
        return "not known" if self.found is None else with_unit(self.found, self.check.unit)

    @property
    def allowed_text(self) -> str:
        return f"at {'least' if self.check.is_minimum else 'most'} {with_unit(self.check.allowed, self.check.unit)}"

    @property
    def examples(self) -> tuple[str, ...]:
        """The first of what breaks the expectation, and how many more there are; empty when it passed."""
        if self.status != "failed":
            return ()
        more = self.check.broken_by - len(self.check.examples)
        return self.check.examples + ((f"and {more:,} more",) if more > 0 else ())

    def to_dict(self) -> dict[str, Any]:
        """For `validation.json` and `changes.json`, and the pages that are drawn from them."""
        return {
            "name": self.check.name,
            "key": self.check.key,
            "status": self.status,
            "stops": self.check.stops,
            "result": self.result,
            "found": self.found,
            "at_least" if self.check.is_minimum else "at_most": self.check.allowed,
            "unit": self.check.unit,
            "text": self.text,
            "found_text": self.found_text,
            "allowed_text": self.allowed_text,
            "examples": list(self.examples),
            "remedy": self.check.remedy,
            "error": self.error,
            "table": self.check.table,
            "column": self.check.settings.get("column"),
            "expectation": self.check.kind,
        }


@dataclass(frozen=True)
class Validation:
    """The outcomes of all checks.

    Attributes:
        outcomes: one for each check, in the order of the checks.
        suites: Great Expectations' own suite for each table, as JSON has it.
        documentation: Great Expectations' own account, but for the table `change`: `success`, and `sections`, its HTML.
    """

    outcomes: list[Outcome]
    suites: dict[str, Any]
    documentation: dict[str, Any]


def with_unit(value: float, unit: str) -> str:
    """A number with its unit: `12`, `12 px`, `1.5%`, `20 : 1`, `0.0134`."""
    if unit == "share":
        return f"{value * 100:.4g}%"
    if unit == "number":
        return significant(value)
    number = f"{value:,.2f}".removesuffix(".00")
    return number + {"count": "", "pixels": " px", "ratio": " : 1"}[unit]


def significant(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, never with a power of ten: `0.01598`, `17,770`."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"
