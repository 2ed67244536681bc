"""What came of the checks."""

from dataclasses import dataclass
from typing import Any

from darkroom.checks.suite import Check


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: what was expected.
        status: `passed`, `failed`, or `errored` when it could not be checked.
        found: the number that was held against `check.allowed`; None when errored.
        error: why it could not be checked; empty otherwise.
    """

    check: Check
    status: str
    found: float | None
    error: str

    @property
    def stops_the_line(self) -> bool:
        """Of what could not be checked nothing is known, so that stops whatever `validate.stop` says."""
        return self.status == "errored" or (self.status == "failed" and self.check.stops)

    @property
    def verdict(self) -> str:
        """For people: `met`, `broken`, `warning` or `could not be checked`."""
        words = {"passed": "met", "failed": "broken" if self.stops_the_line else "warning"}
        return words.get(self.status, "could not be checked")

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
        more = self.check.offending - len(self.check.offenders)
        return self.check.offenders + ((f"and {more:,} more",) if more > 0 else ())

    def to_dict(self) -> dict[str, object]:
        """For `validation.json`."""
        return {
            "name": self.check.name,
            "key": self.check.key,
            "status": self.status,
            "stops": self.check.stops,
            "found": self.found,
            "at_least" if self.check.is_minimum else "at_most": self.check.allowed,
            "unit": self.check.unit,
            "text": f"found {self.found_text}, allowed {self.allowed_text}",
            "examples": list(self.examples),
            "remedy": self.check.remedy,
            "error": self.error,
            "table": self.check.table,
            "expectation": self.check.kind,
        }


def with_unit(value: float, unit: str) -> str:
    """A number as people say it: `12`, `12 px`, `1.5%`, `20 : 1`, `0.0134`."""
    if unit == "share":
        return f"{value * 100:.4g}%"
    if unit == "number":
        return significant(value)
    number = f"{value:,.2f}".removesuffix(".00")
    return number + {"count": "", "pixels": " px", "ratio": " : 1"}[unit]


def significant(value: float, digits: int = 4) -> str:
    """A number with so many digits that count, never with a power of ten: `0.01598`, `17,770`."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"


@dataclass(frozen=True)
class Validation:
    """Attributes:
    outcomes: one a check, in the order of the checks.
    suites: Great Expectations' own suite for each table, as JSON has it.
    page: Great Expectations' own account, as a page that stands alone; it leaves out the table `change`.
    """

    outcomes: list[Outcome]
    suites: dict[str, Any]
    page: str
