"""Reading `params.yaml`: every mistake is found and reported at once, before anything is read or written."""

import difflib
import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from darkroom.runtime.errors import DarkroomError
from darkroom.settings.sections import Params, section_fields

PARAMS_FILE = Path("params.yaml")


def read_params(path: Path = PARAMS_FILE, overrides: tuple[str, ...] = ()) -> Params:
    """Read and check all settings.

    Args:
        path: the YAML file.
        overrides: `section.key=value` each, laid over the file before the check; values are read as YAML.

    Raises:
        DarkroomError: with every mistake in one message.
    """
    try:
        raw = _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DarkroomError(f"there is no {path} in {Path.cwd()}: run this from the root of the repository") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise DarkroomError(f"{path} is not valid YAML in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise DarkroomError(f"{path} must hold the sections {', '.join(section_fields())}, and holds none")
    mistakes = [mistake for text in overrides if (mistake := _lay_over(raw, text))]
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        mistakes += _merged([_explain(detail) for detail in error.errors()])
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise DarkroomError(f"{count} in the settings ({path}):\n" + "\n".join(f"  - {line}" for line in mistakes))
    return params


def _parse(text: str) -> Any:
    """YAML 1.2, as DVC reads and writes it: `1e-05` is a number and `yes` a word. PyYAML takes them the other way round."""
    return YAML(typ="safe", pure=True).load(text)


def _lay_over(raw: dict[str, Any], text: str) -> str | None:
    """Set one `section.key=value` in `raw`; return what is wrong with it, or None."""
    match = re.fullmatch(r"(\w+)\.(\w+)=(.*)", text, flags=re.DOTALL)
    if not match:
        return f"{text!r} is not of the form section.key=value"
    section, key, value = match.groups()
    holder = raw.setdefault(section, {})
    if not isinstance(holder, dict):
        return f"{section}: must hold settings, and holds {holder!r}"
    try:
        holder[key] = _parse(value)
    except YAMLError:
        return f"{text!r}: the value is not valid YAML"
    return None


def _merged(lines: list[str]) -> list[str]:
    """Where a setting may be of several types each of them complains: their complaints in one line."""
    merged: dict[str, str] = {}
    for line in lines:
        found, _, wanted = line.partition(", should be ")
        merged[found] = f"{merged[found]} or {wanted}" if found in merged else line
    return list(merged.values())


def _explain(detail: ErrorDetails) -> str:
    """One mistake in one line: where, what was found, what is allowed, and the nearest name for an unknown one."""
    known = section_fields()
    parts = [str(part) for part in detail["loc"]]
    where = ".".join(parts[:2])
    if detail["type"] == "extra_forbidden":
        candidates = list(known) if len(parts) == 1 else list(known[parts[0]])
        # A setting of another section by its full name is meant more likely than a like-named one of this section.
        near = [f"{name}.{key}" for name, keys in known.items() for key in keys if len(parts) == 2 and key == parts[1]][
            :1
        ]
        near = near or difflib.get_close_matches(parts[-1], candidates, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(candidates)}"
        return f"{where}: there is no such setting; {hint}"
    if detail["type"] == "missing":
        return f"{where}: is missing"
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}"
    message = detail["msg"].removeprefix("Input should be ")
    found = detail["input"]
    if detail["type"] == "literal_error" and isinstance(found, str) and len(parts) >= 2:
        near = difflib.get_close_matches(found, _literals(known[parts[0]][parts[1]].annotation), n=1)
        message += f"; did you mean {near[0]}?" if near else ""
    return f"{where}: is {found!r}, should be {message}"


def _literals(annotation: Any) -> list[str]:
    """The strings that a `Literal`, alone or in a union, allows."""
    if isinstance(annotation, UnionType):
        return [text for member in get_args(annotation) for text in _literals(member)]
    return [str(value) for value in get_args(annotation) if isinstance(value, str | int)]
