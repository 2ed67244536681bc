"""A section of `params.yaml`: its form, its checks, and how a stage reads its own."""

import difflib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import PARAMS_FILE
from darkroom.runtime.text import count
from darkroom.settings.yaml_file import read_file

# In words, by their names in a JSON schema.
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {
    "object": "settings",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "`true`, `false`",
}
# Characters of a value in a message.
LONGEST_SHOWN = 100
# Bytes of a path on Linux.
LONGEST_PATH = 4096

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Fraction = Annotated[float, Field(ge=0, le=1)]
# Limits that no sound setting reaches: what is beyond is a slip of the keyboard, and would only be found in training.
MOST_EPOCHS = 100_000
MOST_IMAGES = 1_000_000_000


def _possible_path(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"is {shown(text)}, and no path can contain a zero byte")
    if len(text) > LONGEST_PATH:
        raise ValueError(f"is {shown(text)} of {len(text):,} characters, and a path has {LONGEST_PATH:,} at most")
    return text


PathText = Annotated[str, Field(min_length=1), AfterValidator(_possible_path)]


class Section(BaseModel):
    """One stage's settings: the section of `params.yaml` with the name of the class in small letters.

    Each setting is declared once: type and limits in its annotation, its default, and below it the words for
    `docs/parameters.md`, as a docstring, so that a change of words is no change of code. Unknown keys and wrong types are
    errors; numbers are never read out of text.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @classmethod
    def section_name(cls) -> str:
        """The name of the section in `params.yaml`."""
        return cls.__name__.lower()


AnySection = TypeVar("AnySection", bound=Section)


def read_section(section: type[AnySection], path: Path = PARAMS_FILE) -> AnySection:
    """Read and check one section; `survey` and `make run` check all of them before a stage starts.

    Raises:
        DarkroomError: with every mistake in the section, in one message.
    """
    checked = check_section(section, read_file(path))
    if isinstance(checked, list):
        raise mistakes_error(checked, path)
    return checked


def mistakes_error(mistakes: Sequence[str], path: Path) -> DarkroomError:
    """One error for all mistakes."""
    lines = "\n".join(f"  - {line}" for line in mistakes)
    return DarkroomError(f"{count(len(mistakes), 'mistake')} in the settings ({path}):\n{lines}")


def check_section(
    section: type[AnySection],
    content: dict[str, Any],
    hint: Callable[[str], str | None] = lambda key: None,
) -> AnySection | list[str]:
    """One section of a file of settings, checked.

    Args:
        section: its class.
        content: of the file.
        hint: what to say about a key that the section does not have; None: the nearest name that it has.

    Returns:
        The section; or its mistakes, each in one line: where, what was found, what is allowed.
    """
    name = section.section_name()
    if name not in content:
        return [f"{name}: is missing; its settings are {', '.join(section.model_fields)}"]
    found = content[name]
    if not isinstance(found, dict):
        return [f"{name}: is {shown(found)}, should be settings, one a line"]
    mistakes = [
        f"{name}.{key}: is missing; add `{key}: {_as_yaml(field.get_default(call_default_factory=True))}`"
        for key, field in section.model_fields.items()
        if key not in found
    ]
    try:
        checked = section.model_validate(found)
    except ValidationError as error:
        return mistakes + _merged([_explain(section, detail, hint) for detail in error.errors()])
    return mistakes or checked


def _as_yaml(value: Any) -> str:
    if value is None:
        return "null"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _merged(lines: list[str]) -> list[str]:
    """Where a setting may be of several types each of them complains: the longest complaint about a value, with a hint."""
    merged: dict[str, str] = {}
    for line in lines:
        found = line.partition(", should be ")[0]
        merged[found] = max(merged.get(found, ""), line, key=len)
    return list(merged.values())


def _explain(section: type[Section], detail: ErrorDetails, hint: Callable[[str], str | None]) -> str:
    """One mistake in one line."""
    parts = [section.section_name(), *(str(part) for part in detail["loc"])]
    where = ".".join(parts[:2])
    if detail["type"] == "invalid_key":
        return f"{parts[0]}: {shown(detail['input'])} is no name of a setting"
    if detail["type"] == "extra_forbidden":
        return f"{where}: {hint(parts[1]) or unknown(parts[1], list(section.model_fields), f'{parts[0]}.')}"
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    allowed, found = type_words(section.model_json_schema()["properties"][parts[1]]), detail["input"]
    if detail["type"] == "literal_error" and isinstance(found, str):
        near = difflib.get_close_matches(found, _literals(section.model_fields[parts[1]].annotation), n=1)
        allowed += f"; did you mean {near[0]}?" if near else ""
    return f"{where}: is {shown(found)}, should be {allowed}"


def shown(value: object) -> str:
    """A value of the user's in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def type_words(field: dict[str, Any]) -> str:
    """A type and its limits, in words, from its JSON schema."""
    if "anyOf" in field:
        return " or ".join(type_words(member) for member in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "null":
        return "empty"
    if field["type"] == "array":
        return f"list of {type_words(field['items'])}"
    if field.get("format") == "date":
        return "day"
    limits = [f"{sign} {field[key]}" for key, sign in LIMITS.items() if key in field]
    return " ".join([TYPES[field["type"]], ", ".join(limits)]).strip()


def unknown(name: str, known: Sequence[str], section: str = "") -> str:
    """What to say about a name that is none of the known ones; a near one stands behind its section, as one types it."""
    near = difflib.get_close_matches(name, known, n=1)
    return "there is no such setting; " + (
        f"did you mean {section}{near[0]}?" if near else f"known here: {', '.join(known)}"
    )


def _literals(annotation: Any) -> list[str]:
    """The strings that a `Literal`, alone or in a union, allows."""
    if isinstance(annotation, UnionType):
        return [text for member in get_args(annotation) for text in _literals(member)]
    return [str(value) for value in get_args(annotation) if isinstance(value, str | int)]
