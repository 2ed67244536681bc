"""JSON of others is of a form, or the message says which key is what and should be what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from darkroom.runtime.checked_json import SOME_KEYS, STRICT, check_json, one_of, read_checked
from darkroom.runtime.errors import DarkroomError


@dataclass(frozen=True)
class Part:
    __pydantic_config__ = STRICT

    kind: Annotated[str, one_of("a", "b")]
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()


@dataclass(frozen=True)
class Whole:
    __pydantic_config__ = STRICT

    share: Annotated[float, Field(ge=0, le=1)]
    part: Part


@dataclass(frozen=True)
class Some:
    __pydantic_config__ = SOME_KEYS

    share: float


def test_a_form_is_read() -> None:
    assert check_json('{"share": 1, "part": {"kind": "b", "sizes": [3, 4]}}', Whole, "x", "y") == Whole(
        1.0, Part("b", (3, 4))
    )
    assert check_json('{"share": 0.5, "more": []}', Some, "x", "y") == Some(0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"share": 2, "part": {"kind": "a"}}', "share is 2, should be less than or equal to 1"),
        ('{"share": NaN, "part": {"kind": "a"}}', "share is nan, should be a finite number"),
        ('{"share": "1", "part": {"kind": "a"}}', "share is '1', should be a valid number"),
        ('{"share": true, "part": {"kind": "a"}}', "share is True, should be a valid number"),
        ('{"share": 1}', "part is missing"),
        ('{"share": 1, "part": {"kind": "c"}}', "part.kind is 'c', should be 'a' or 'b'"),
        (
            '{"share": 1, "part": {"kind": "a", "sizes": [0]}}',
            "part.sizes.0 is 0, should be greater than or equal to 1",
        ),
        ('{"share": 1, "part": {"kind": "a", "\\u001b": 1}}', r"this version knows no key part.'\x1b'"),
        ("[]", "it is [], should be an object"),
        ("", "no JSON: EOF while parsing a value at line 1 column 0"),
        ("[" * 10_000, "no JSON: recursion limit exceeded at line 1 column 202"),
        ("{}", "share is missing; part is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(text: str, says: str) -> None:
    with pytest.raises(DarkroomError) as caught:
        check_json(text, Whole, "the file", "make it again")
    assert str(caught.value) == f"the file is damaged ({says}): make it again"


def test_a_long_value_is_cut() -> None:
    with pytest.raises(DarkroomError) as caught:
        check_json('{"share": "' + "x" * 10_000 + '"}', Some, "the file", "make it again")
    assert str(caught.value) == f"the file is damaged (share is '{'x' * 58}…, should be a valid number): make it again"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="can't be read: Is a directory; fix its permissions, or make it again"):
        read_checked(tmp_path, Some, "make it again")
    with pytest.raises(FileNotFoundError):
        read_checked(tmp_path / "none", Some, "make it again")
