"""Templates to self-contained pages: no file beside them, no network, no script."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from darkroom.drawing.chart import figure
from darkroom.runtime import text

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **context: Any) -> str:
    """Fill one of the templates in `templates/`.

    Args:
        template: its file name, such as `evaluation.html`.
        context: what the template names; everything is escaped unless it is a `markupsafe.Markup`.

    Returns:
        The page; equal context gives equal text.

    Raises:
        jinja2.UndefinedError: when the template names something that `context` does not hold.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # What turns the direction of text is shown as an escape: a name must not rearrange the page.
        finalize=lambda value: text.printable_lines(value) if type(value) is str else value,
    )
    environment.filters |= {
        "percent": percent,
        "code": code,
        "count": count,
        "decimal": decimal,
        "short": short,
        "probability": probability,
        "p_value": p_value,
        "setting": setting,
        "figure": figure,
    }
    environment.globals["many"] = text.count
    return environment.get_template(template).render(**context)


def code(words: str) -> Markup:
    """Text, escaped, in which what stands between backticks is set as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(words))))


def percent(share: float, digits: int = 1) -> str:
    """A share of one as text: 0.9413 becomes `94.1%`.

    Only 1 itself becomes `100%` and only 0 becomes `0%`; a share close to them gets the digits that show the difference.
    """
    if share in (0, 1):
        return f"{share:.0%}"
    while f"{share:.{digits}%}" in (f"{0:.{digits}%}", f"{1:.{digits}%}"):
        digits += 1
    return f"{share:.{digits}%}"


def probability(value: float) -> str:
    """A probability as text: one decimal of a percent, `over 99.9%` and `under 0.1%` at the ends."""
    if value > 0.999:
        return "over 99.9%"
    return "under 0.1%" if value < 0.001 else f"{value:.1%}"


def p_value(value: float) -> str:
    """The p-value of a test as text: `p = 0.793`, or `p < 0.001`."""
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def count(number: int) -> str:
    """A whole number with its thousands set apart: `10,000`."""
    return f"{number:,}"


def decimal(number: float, digits: int = 3) -> str:
    """A number with a fixed count of digits after the point."""
    return f"{number:.{digits}f}"


def setting(value: Any) -> str:
    """The value of a setting as people type it: `true`, `empty`, `0.1, 0.2`."""
    if isinstance(value, list):
        return ", ".join(setting(item) for item in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "empty" if value is None else str(value)


def short(name: str, longest: int = 40) -> str:
    """A name cut to `longest` characters, for places where it must not push the rest away."""
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"
