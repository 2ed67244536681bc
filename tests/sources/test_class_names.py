"""Names of classes: their order, and those that are written in several ways."""

from dataclasses import replace
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import folded, in_label_order, list_source
from darkroom.sources.folder import FOLDER
from darkroom.sources.source import Listing, Location, SourceImage, SourceKind

PLACE = Location(Path("there"), None, 0)


def kind_of(**images: int) -> SourceKind:
    """A kind whose source has so many images of each class; `_` in a name stands for a blank."""
    numbers = {name.replace("_", " "): number for name, number in images.items()}
    listed = [
        SourceImage(f"{name}/{row}", name, None, None) for name in sorted(numbers) for row in range(numbers[name])
    ]
    return replace(FOLDER, list=lambda location: Listing(tuple(sorted(numbers)), listed))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Cat", "cat"),
        ("cat ", "cat"),
        ("hot  dog", "hot\N{NO-BREAK SPACE}dog"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"),
        ("\N{ZERO WIDTH SPACE}cat", "cat"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}cat", "ca\N{SOFT HYPHEN}t"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}", "a"),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"),
        ("1", "01"),
        ("1", "\N{FULLWIDTH DIGIT ONE}.0"),
        ("-0.50", "-0.5"),
        ("\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}", "\N{HEAVY BLACK HEART}"),
    ],
)
def test_names_that_are_one_when_folded(name: str, other: str) -> None:
    assert folded(name) == folded(other)


def test_names_that_are_two() -> None:
    names = [
        "cat",
        "cats",
        "caf",
        "cafe",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "hotdog",
        "hot dog",
        "hot_dog",
        "1",
        "10",
        "1a",
        "01a",
    ]
    assert len({folded(name) for name in names}) == len(names)


def test_the_user_is_asked_with_both_names_and_their_numbers() -> None:
    with pytest.raises(DarkroomError) as caught:
        list_source(kind_of(Cat=2, cat=3, cat_=1, dog=4), PLACE)
    assert str(caught.value) == (
        "there has classes whose names differ only in case, blanks, invisible characters, Unicode forms or zeros of a number. "
        "Set ingest.join_classes=true to make one class of each line, under the name that most images have, or false for a "
        "class of each name:\n"
        "  - 'Cat' (2 images, as Cat/0), 'cat' (3 images, as cat/0), 'cat ' (1 image, as cat /0); together 'cat'"
    )


def test_look_alikes_are_shown_with_escapes() -> None:
    with pytest.raises(DarkroomError, match=r"'cafe.u0301' \(1 image.*'caf\xe9' \(1 image.*together 'caf\xe9'"):
        list_source(kind_of(**{"cafe\u0301": 1, "caf\xe9": 1}), PLACE)


def test_joined_or_not_as_the_user_says() -> None:
    kind = kind_of(Cat=2, cat=3, cat_=3, dog=4)
    joined = list_source(kind, replace(PLACE, join_classes=True))
    assert joined.classes == ("cat", "dog")
    assert [image.label for image in joined.images] == ["cat"] * 8 + ["dog"] * 4
    assert [image.path for image in joined.images] == [image.path for image in kind.list(PLACE).images]
    assert list_source(kind, replace(PLACE, join_classes=False)) == kind.list(PLACE)


def test_numbers_are_in_their_order_and_everything_else_in_that_of_text() -> None:
    assert in_label_order({"10", "9", "-1", "1.5"}) == ("-1", "1.5", "9", "10")
    assert in_label_order({"10", "9", "x"}) == ("10", "9", "x")
    assert in_label_order(set("9876543210")) == tuple("0123456789")
    assert in_label_order({"9" * 5000, "1"}) == ("1", "9" * 5000)
