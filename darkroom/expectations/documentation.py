"""Great Expectations' own account of a validation, as a page that stands alone."""

import html
import json
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
from markupsafe import Markup

from darkroom.reporting.pages import render_page

# What the package's own `page.j2` does with sections, without its frame, which loads 16 files from the network. The first
# section only tells the time of the run and links to a site that is not there.
SECTIONS = "{% for section in sections[1:] %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}"


def documentation_page(result: ExpectationSuiteValidationResult) -> str:
    """The page `great_expectations.html`; equal results give equal text."""
    plain = ExpectationSuiteValidationResult(result.success, [_plain(one) for one in result.results], result.suite_name)
    view = DefaultJinjaPageView()
    # Random ids for what folds: here nothing folds, and every run is to give the same page.
    view.env.filters["generate_html_element_uuid"] = str
    rendered = ValidationResultsPageRenderer().render(plain).to_json_dict()
    sections = view.env.from_string(SECTIONS).render(rendered)
    return render_page("great_expectations.html", success=result.success, sections=Markup(sections))


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
