"""`docs/parameters.md`, made from the typed sections: `python -m darkroom.settings.page` writes it."""

from pathlib import Path
from typing import Any

import yaml

from darkroom.settings.read import PARAMS_FILE
from darkroom.settings.sections import Params

PAGE = Path("docs/parameters.md")

INTRODUCTION = """\
# Settings

Every setting of `params.yaml`: its type and limits, what it is at first, and what it does. Mistakes are reported all at once,
before anything is read or written. From the command line: `make run SET="train.epochs=3 split.seed=1"`, which changes
`params.yaml` as well; `git checkout params.yaml` brings the committed settings back.

This page is made from `darkroom/settings/sections.py` by `python -m darkroom.settings.page`; a test holds it current.
"""


LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def render() -> str:
    """The whole page, as Markdown."""
    schema = Params.model_json_schema()
    start = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    parts = [INTRODUCTION]
    for section, reference in schema["properties"].items():
        fields = schema["$defs"][reference["$ref"].rsplit("/", 1)[1]]["properties"]
        parts += [f"## {section}", "", "| setting | type | at first | what it does |", "|---|---|---|---|"]
        for name, field in fields.items():
            parts.append(f"| `{name}` | {_type(field)} | {_value(start[section][name])} | {field['description']} |")
        parts.append("")
    return "\n".join(parts)


def _value(value: object) -> str:
    """A setting as `params.yaml` has it."""
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "empty" if value is None else f"`{value}`"


def _type(field: dict[str, Any]) -> str:
    """A type and its limits, in words, from its JSON schema."""
    if "anyOf" in field:
        return " or ".join(_type(member) for member in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "null":
        return "empty"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if field.get("format") == "date":
        return "day"
    names = {
        "object": "settings",
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "`true`, `false`",
    }
    limits = [f"{sign} {field[key]}" for key, sign in LIMITS.items() if key in field]
    return " ".join([names[field["type"]], ", ".join(limits)]).strip()


def main() -> None:
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
