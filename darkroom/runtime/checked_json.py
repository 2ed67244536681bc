"""JSON that others may have written or changed: read through one door, with types, ranges and keys checked.

What it should be is a dataclass with its limits in the annotations; pydantic holds the content against it.
"""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from darkroom.runtime.errors import DarkroomError

Form = TypeVar("Form")

# `__pydantic_config__` of a form: numbers are never read out of text, unknown keys and NaN are mistakes.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
# The same for a form with some of the keys.
SOME_KEYS = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

# Mistakes in a message, and characters of what was found.
MOST, LONGEST = 3, 60


def read_checked(path: Path, form: type[Form], remedy: str, where: str = "") -> Form:
    """Read a JSON file.

    Args:
        path: the file.
        form: what it should hold: a dataclass, or any other type.
        remedy: what the user can do, for the message.
        where: its place, for the message, where that is not the path.

    Raises:
        FileNotFoundError: when there is no such file.
        DarkroomError: when it can't be read, is no JSON in UTF-8, or is not as the form has it.
    """
    where = where or str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DarkroomError(f"{where} can't be read: {error.strerror}; fix its permissions, or {remedy}") from None
    return check_json(data, form, where, remedy)


def check_json(data: bytes | str, form: type[Form], where: str, remedy: str) -> Form:
    """Read JSON.

    Args:
        data: the text.
        form: what it should hold.
        where: its place, for the message.
        remedy: what the user can do, for the message.

    Raises:
        DarkroomError: when it is no JSON in UTF-8, or is not as the form has it: the first mistakes with the key, what it is
            and what it should be.
    """
    try:
        checked: Form = _adapter(form).validate_json(data)  # type: ignore[arg-type]  # mypy: no type can be hashed
        return checked
    except ValidationError as error:
        mistakes = [_explain(detail) for detail in error.errors(include_url=False)]
        more = f"; and {len(mistakes) - MOST:,} more" if len(mistakes) > MOST else ""
        raise DarkroomError(f"{where} is damaged ({'; '.join(mistakes[:MOST])}{more}): {remedy}") from None


def one_of(*values: str | int) -> AfterValidator:
    """In an annotation: these values and no other; a `Literal` would ask it of the types of all who make such a value."""

    def check(value: str | int) -> str | int:
        if value not in values:
            raise ValueError(f"should be {', '.join(map(repr, values[:-1]))} or {values[-1]!r}")
        return value

    return AfterValidator(check)


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def _explain(detail: ErrorDetails) -> str:
    """One mistake in words."""
    if detail["type"] == "json_invalid":
        return detail["msg"].replace("Invalid JSON", "no JSON")
    key = ".".join(part if isinstance(part, str) and part.isidentifier() else _short(part) for part in detail["loc"])
    if detail["type"] == "missing":
        return f"{key} is missing"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"this version knows no key {key}"
    reason = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else detail["msg"]
    reason = reason.rpartition("should ")[2]  # "Input should be …", "String should have …"
    return f"{key or 'it'} is {_short(detail['input'])}, should {reason}"


def _short(value: Any) -> str:
    """As Python writes it, which leaves no control character raw, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
