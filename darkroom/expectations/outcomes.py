"""Run the suite with Great Expectations, and say what came of each expectation."""

from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig

from darkroom.expectations.suite import NAMED, Check


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
        """Of what could not be checked nothing is known, so that stops whatever its severity."""
        return self.status == "errored" or (self.status == "failed" and self.check.expectation.severity == "critical")

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
        more = len(self.check.offenders) - NAMED
        return self.check.offenders[:NAMED] + ((f"and {more:,} more",) if more > 0 else ())

    def to_dict(self) -> dict[str, object]:
        """For `validation.json`."""
        return {
            "name": self.check.name,
            "status": self.status,
            "severity": self.check.expectation.severity.value,
            "found": self.found,
            "at_least" if self.check.is_minimum else "at_most": self.check.allowed,
            "unit": self.check.unit,
            "text": f"found {self.found_text}, allowed {self.allowed_text}",
            "examples": list(self.examples),
            "remedy": self.check.remedy,
            "error": self.error,
            "table": self.check.table,
            "expectation": self.check.expectation.expectation_type,
        }


def with_unit(value: float, unit: str) -> str:
    """A number as people say it: `12`, `12 px`, `1.5%`, `20 : 1`."""
    if unit == "share":
        return f"{value * 100:.4g}%"
    number = f"{value:,.2f}".removesuffix(".00")
    return number + {"count": "", "pixels": " px", "ratio": " : 1"}[unit]


@dataclass(frozen=True)
class Validation:
    """Attributes:
    outcomes: one a check, in the order of the checks.
    suites: Great Expectations' own suite for each table.
    result: Great Expectations' own result over all tables, in the order of the checks; it tells no time and no id.
    """

    outcomes: list[Outcome]
    suites: dict[str, ExpectationSuite]
    result: ExpectationSuiteValidationResult


def check_all(checks: list[Check], tables: dict[str, pd.DataFrame]) -> Validation:
    """Hold the tables against their expectations, with no file written and no connection opened.

    Args:
        checks: their tables are all in `tables`.
        tables: by name.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("ingest")
    suites, found = {}, {}
    for name in dict.fromkeys(check.table for check in checks):
        suites[name] = ExpectationSuite(name, [check.expectation for check in checks if check.table == name])
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        for result in batch.get_batch({"dataframe": tables[name]}).validate(suites[name]).results:
            # Results come in no fixed order; the name that the expectation carries tells whose this one is.
            found[result.expectation_config.meta["name"]] = result
    results = [found[check.name] for check in checks]
    outcomes = [_outcome(check, result.to_json_dict()) for check, result in zip(checks, results, strict=True)]
    success = all(result.success for result in results)
    return Validation(outcomes, suites, ExpectationSuiteValidationResult(success, results, "the data set"))


def _outcome(check: Check, result: dict[str, Any]) -> Outcome:
    # An expectation that could not run says success=False as well, and has one message for each metric it needed.
    raised = result["exception_info"]
    messages = [raised] if "raised_exception" in raised else list(raised.values())
    errors = sorted(
        {str(one["exception_message"]).removeprefix("Error: ") for one in messages if one["raised_exception"]}
    )
    if errors:
        return Outcome(check, "errored", None, "; ".join(errors))
    return Outcome(check, "passed" if result["success"] else "failed", _found(result["result"]), "")


def _found(result: dict[str, Any]) -> float:
    """The number in a result: what was counted as unexpected or missing, or what was observed."""
    if "unexpected_count" in result:
        return int(result["unexpected_count"])
    if "details" in result:
        return len(result["details"].get("mismatched", {}).get("missing", []))
    number: float = result["observed_value"]
    return number
