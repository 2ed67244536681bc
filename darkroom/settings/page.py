"""`docs/parameters.md`, made from the sections: `python -m darkroom.settings.page` writes it."""

import ast
import inspect
import itertools
from pathlib import Path

from darkroom.settings.base import Section, type_words
from darkroom.settings.read import SECTIONS

PAGE = Path("docs/parameters.md")

INTRODUCTION = """\
# Settings

Every setting of `params.yaml`: its type and limits, its default, and what it does. Mistakes are reported all at once, before
anything is read or written. From the command line: `make run SET="train.epochs=3 split.seed=1"`, which changes `params.yaml` as
well; `git checkout params.yaml` brings the committed settings back.

This page is made from the modules of `darkroom/settings/` by `python -m darkroom.settings.page`; a test holds it current.
"""


def render() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION]
    for name, section in SECTIONS.items():
        defaults, words = section().model_dump(mode="json"), descriptions(section)
        parts += [f"## {name}", "", "| setting | type | default | what it does |", "|---|---|---|---|"]
        for key, schema in section.model_json_schema()["properties"].items():
            parts.append(f"| `{key}` | {type_words(schema)} | {_value(defaults[key])} | {words[key]} |")
        parts.append("")
    return "\n".join(parts)


def descriptions(section: type[Section]) -> dict[str, str]:
    """The docstring below each setting, in one line.

    Pydantic can read them too (`use_attribute_docstrings`), at a cost of some 40 ms whenever a stage starts.
    """
    (parsed,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(parsed, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, below in itertools.pairwise(parsed.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            assert isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant), statement.target.id
            found[statement.target.id] = " ".join(str(below.value.value).split())
    return found


def _value(value: object) -> str:
    """A setting as `params.yaml` has it."""
    if isinstance(value, list | dict):
        return ", ".join(f"`{item}`" for item in value) or "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "empty" if value is None else f"`{value}`"


def main() -> None:
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
