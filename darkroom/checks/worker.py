"""Hold tables against expectations with Great Expectations, and say what came of each."""

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig

from darkroom.checks.documentation import documentation_page
from darkroom.checks.outcomes import Outcome, Validation
from darkroom.checks.suite import Check


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
        suites[name] = ExpectationSuite(name, [_expectation(check) for check in checks if check.table == name])
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        for result in batch.get_batch({"dataframe": tables[name]}).validate(suites[name]).results:
            # Results come in no fixed order; the name that the expectation carries tells whose this one is.
            found[result.expectation_config.meta["name"]] = result
    outcomes = [_outcome(check, found[check.name].to_json_dict()) for check in checks]
    of_data = [outcome for outcome in outcomes if outcome.check.table != "change"]
    told = [found[outcome.check.name] for outcome in of_data]
    # Warnings are no failure, as on our own page.
    goes_on = not any(outcome.stops_the_line for outcome in of_data)
    result = ExpectationSuiteValidationResult(goes_on, told, "the data set")
    return Validation(
        outcomes, {name: suite.to_json_dict() for name, suite in suites.items()}, documentation_page(result)
    )


def _expectation(check: Check) -> gxe.Expectation:
    severity = "critical" if check.stops else "warning"
    return getattr(gxe, check.kind)(meta={"name": check.name}, severity=severity, **check.settings)


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
