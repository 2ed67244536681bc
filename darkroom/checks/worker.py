"""Run checks with Great Expectations: the outcome of each, and the package's own account of them."""

import html
import json
from collections.abc import Callable
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core import ExpectationSuite, ExpectationSuiteValidationResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from darkroom.checks.suite import Check, Outcome, Tables, Validation

# What the package's own `page.j2` does with sections, without its frame, which loads 16 files from the network. The first
# section only shows the time of the run and links to a site that is not there.
SECTIONS = "{% for section in sections[1:] %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}"


def check_all(checks: list[Check], tables: Tables) -> Validation:
    """Check the tables, with no file written and no connection opened.

    Args:
        checks: their tables are all in `tables`.
        tables: by name, each its columns by name.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("ingest")
    suites, results = {}, {}
    for name in dict.fromkeys(check.table for check in checks):
        suites[name] = ExpectationSuite(name, [_expectation(check) for check in checks if check.table == name])
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        for result in batch.get_batch({"dataframe": pd.DataFrame(tables[name])}).validate(suites[name]).results:
            # Results come in no fixed order; the expectation carries the name of its check.
            results[result.expectation_config.meta["name"]] = result
    outcomes = [_outcome(check, results[check.name].to_json_dict()) for check in checks]
    of_data = [outcome for outcome in outcomes if outcome.check.table != "change"]
    # Warnings are no failure, as on our own page.
    success = not any(outcome.stops_the_line for outcome in of_data)
    documentation = {"success": success, "sections": _sections([results[outcome.check.name] for outcome in of_data])}
    return Validation(outcomes, {name: suite.to_json_dict() for name, suite in suites.items()}, documentation)


def _expectation(check: Check) -> gxe.Expectation:
    severity = "critical" if check.stops else "warning"
    return getattr(gxe, check.kind)(meta={"name": check.name}, severity=severity, **check.settings)


def _outcome(check: Check, result: dict[str, Any]) -> Outcome:
    # An expectation that could not run has success=False as well, and one message for each metric it needed.
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


class TableWithWarnings(ValidationResultsTableContentBlockRenderer):  # type: ignore[misc]
    """The package shows what only warns as it shows what failed; here it gets a mark of its own."""

    @classmethod
    def _get_content_block_fn(cls, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        rows_of = super()._get_content_block_fn(*args, **kwargs)

        def rows(result: ExpectationValidationResult, **others: Any) -> Any:
            found = rows_of(result=result, **others)
            icon = found[0][0].string_template["styling"]["params"]["icon"]
            if "fa-times" in icon["classes"] and result.expectation_config.severity == "warning":
                icon["classes"] = ["fas", "fa-exclamation-circle", "text-warning"]
            return found

        return rows


def _sections(results: list[ExpectationValidationResult]) -> str:
    """The package's documentation of the results, in HTML; equal results give equal text."""
    plain = ExpectationSuiteValidationResult(True, [_plain(result) for result in results], "the data set")
    view = DefaultJinjaPageView()
    # Random ids for what folds: here nothing folds, and every run is to give the same text.
    view.env.filters["generate_html_element_uuid"] = str
    table = {"module_name": __name__, "class_name": TableWithWarnings.__name__}
    of_columns = {"class_name": "ValidationResultsColumnSectionRenderer", "table_renderer": table}
    rendered = ValidationResultsPageRenderer(of_columns).render(plain).to_json_dict()
    sections: str = view.env.from_string(SECTIONS).render(rendered)
    return sections


def _plain(result: ExpectationValidationResult) -> ExpectationValidationResult:
    """Values that version 1.24 can render: it fails on NumPy's floats, does not escape what it found in the data, and shows
    tracebacks with the paths of this machine."""
    content = result.to_json_dict()
    raised = content["exception_info"]
    first = raised if "raised_exception" in raised else next(iter(raised.values()))
    return ExpectationValidationResult(
        success=result.success,
        expectation_config=result.expectation_config,
        result=_escaped(json.loads(json.dumps(content["result"]))),
        exception_info=first | {"exception_traceback": ""},
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    return value
