"""Great Expectations' own account of a validation, as a page that stands alone."""

import html
import json
from collections.abc import Callable
from typing import Any

from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
from markupsafe import Markup

from darkroom.drawing.pages import render_page

# What the package's own `page.j2` does with sections, without its frame, which loads 16 files from the network. The first
# section only tells the time of the run and links to a site that is not there.
SECTIONS = "{% for section in sections[1:] %}{% set section_loop = loop %}{% include 'section.j2' %}{% endfor %}"


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


def documentation_page(result: ExpectationSuiteValidationResult) -> str:
    """The page `great_expectations.html`; equal results give equal text. `result.success`: that nothing stops the line."""
    plain = ExpectationSuiteValidationResult(result.success, [_plain(one) for one in result.results], result.suite_name)
    view = DefaultJinjaPageView()
    # Random ids for what folds: here nothing folds, and every run is to give the same page.
    view.env.filters["generate_html_element_uuid"] = str
    table = {"module_name": __name__, "class_name": TableWithWarnings.__name__}
    of_columns = {"class_name": "ValidationResultsColumnSectionRenderer", "table_renderer": table}
    rendered = ValidationResultsPageRenderer(of_columns).render(plain).to_json_dict()
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
