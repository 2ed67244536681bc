"""Numbers and nouns agree; what others named commands no terminal and no spreadsheet, and can be had back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.text import (
    count,
    csv_cell,
    csv_value,
    one_a_line,
    plural,
    printable,
    printable_lines,
    unprintable,
)


def test_a_number_and_its_noun() -> None:
    assert [count(number, "image") for number in (0, 1, 2, 60_000)] == [
        "0 images",
        "1 image",
        "2 images",
        "60,000 images",
    ]
    assert [count(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]
    assert [plural(number, "file is", "files are") for number in (1, 2)] == ["file is", "files are"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cats/été 日本.png", "cats/été 日本.png"),
        (r"im\1.png", r"im\1.png"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("gpj.\u202etxt", r"gpj.\u202etxt"),
        ("\x9b2J\udcff", r"\x9b2J\udcff"),
        (r"new\names", r"new\\names"),  # it looks like an escape
        ("\\\x1b", r"\\\x1b"),
    ],
)
def test_a_name_commands_no_terminal_and_can_be_had_back(name: str, text: str) -> None:
    assert printable(name) == text
    assert unprintable(text) == name


@given(st.text())
def test_any_name_can_be_had_back(name: str) -> None:
    assert unprintable(printable(name)) == name
    assert csv_value(csv_cell(name)) == name
    assert printable_lines(printable(name)) == printable(name)


def test_text_of_several_lines_keeps_its_lines() -> None:
    assert printable_lines("a\n\tb\x1b[2J\r\u202e\n") == "a\n\tb\\x1b[2J\\r\\u202e\n"
    assert one_a_line(["a\nb", "c"]) == "a\\nb\nc"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'=1", "''=1"),
        ("'quoted'", "''quoted'"),
        ("\t=1", r"\t=1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_a_cell_is_no_formula_and_can_be_had_back(name: str, cell: str) -> None:
    assert csv_cell(name) == cell
    assert csv_value(cell) == name


def test_a_cell_that_was_typed_stays_as_it_is() -> None:
    assert [csv_value(cell) for cell in ("=1", "'s Hertogenbosch", "-1")] == ["=1", "'s Hertogenbosch", "-1"]
