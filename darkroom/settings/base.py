"""A section of `params.yaml`: its form, its checks, and how a stage reads its own."""

import difflib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count

PARAMS_FILE = Path("params.yaml")

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Fraction = Annotated[float, Field(ge=0, le=1)]


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


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a file of settings, before any check.

    Raises:
        DarkroomError: when the file is missing, is not valid YAML, or has no sections.
    """
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DarkroomError(f"there is no {path} in {Path.cwd()}: run this from the root of the repository") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise DarkroomError(f"{path} is not valid YAML in UTF-8: {error}") from None
    if not isinstance(content, dict):
        raise DarkroomError(f"{path} has no sections such as `train:`")
    return content


def parse(text: str) -> Any:
    """YAML 1.2, as DVC reads and writes it: `1e-05` is a number and `yes` a word. PyYAML takes them the other way round."""
    return YAML(typ="safe", pure=True).load(text)


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
        return [f"{name}: is {found!r}, should be settings, one a line"]
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
    """Where a setting may be of several types each of them complains: their complaints in one line."""
    merged: dict[str, str] = {}
    for line in lines:
        found, _, allowed = line.partition(", should be ")
        merged[found] = f"{merged[found]} or {allowed}" if found in merged else line
    return list(merged.values())


def _explain(section: type[Section], detail: ErrorDetails, hint: Callable[[str], str | None]) -> str:
    """One mistake in one line."""
    parts = [section.section_name(), *(str(part) for part in detail["loc"])]
    where = ".".join(parts[:2])
    if detail["type"] == "extra_forbidden":
        return f"{where}: {hint(parts[1]) or unknown(parts[1], list(section.model_fields))}"
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    message = detail["msg"].removeprefix("Input should be ")
    found = detail["input"]
    if detail["type"] == "literal_error" and isinstance(found, str):
        near = difflib.get_close_matches(found, _literals(section.model_fields[parts[1]].annotation), n=1)
        message += f"; did you mean {near[0]}?" if near else ""
    return f"{where}: is {found!r}, should be {message}"


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say about a name that is none of the known ones."""
    near = difflib.get_close_matches(name, known, n=1)
    return "there is no such setting; " + (f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}")


def _literals(annotation: Any) -> list[str]:
    """The strings that a `Literal`, alone or in a union, allows."""
    if isinstance(annotation, UnionType):
        return [text for member in get_args(annotation) for text in _literals(member)]
    return [str(value) for value in get_args(annotation) if isinstance(value, str | int)]
