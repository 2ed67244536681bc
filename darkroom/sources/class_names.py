"""Names of classes: their order, and names that differ only in how they are written, which are one class or two by the user."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import count, printable
from darkroom.sources.source import Listing, Location, SourceKind

# Python refuses to read numbers of thousands of digits.
NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
# Zero-width characters of other categories than Cf: variation selectors, and the joiner of combining marks.
INVISIBLE = re.compile("[\u034f\ufe00-\ufe0f]")
GROUPS_LISTED = 5


def in_label_order(labels: Collection[str]) -> tuple[str, ...]:
    """Classes in the order of their names; where all are numbers, in the order of these."""
    if all(NUMBER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (Fraction(label), label)))
    return tuple(sorted(labels))


def folded(name: str) -> str:
    """What a name has in common with other ways to write it.

    These are Unicode's forms (NFKC), case, blanks, invisible characters; and zeros of numbers: programs make `1` and `1.0` of
    `01`.
    """
    if name.isascii():
        return _plain_number(" ".join(name.casefold().split()))
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    shown = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    return _plain_number(" ".join(INVISIBLE.sub("", shown).split()))


def _plain_number(name: str) -> str:
    return str(Fraction(name)) if NUMBER.fullmatch(name) else name


def list_source(kind: SourceKind, location: Location) -> Listing:
    """List a source, with classes whose names are written in several ways joined or not as `location` says.

    Raises:
        DarkroomError: when the source can't be listed, or names two classes alike and `location` does not say what they are.
    """
    listing = kind.list(location)
    if not alike(listing.classes):
        return listing
    places = {image.label: image.path for image in reversed(listing.images)}
    names = joined_names(listing.classes, Counter(image.label for image in listing.images), places, location)
    return replace(
        listing,
        classes=tuple(name for name in listing.classes if names.get(name, name) == name),
        images=[image._replace(label=names.get(image.label, image.label)) for image in listing.images],
    )


def joined_names(
    classes: Sequence[str], images: Mapping[str, int], places: Mapping[str, str], location: Location
) -> dict[str, str]:
    """The name that each class gets which is another one only in how it is written; none where `location` wants all of them.

    Args:
        classes: in label order.
        images: how many each has.
        places: the path of an image of each, for messages.
        location: of the source.

    Raises:
        DarkroomError: when `location` does not say what they are.
    """
    groups = alike(classes)
    if not groups or location.join_classes is False:
        return {}
    if location.join_classes is None:
        raise DarkroomError(f"{location.name} {_describe(groups, images, places)}")
    return {name: best for group in groups if (best := _most_frequent(group, images)) for name in group}


def alike(names: Sequence[str]) -> list[list[str]]:
    """The groups of two or more names that are one when folded, in the order of the names."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _most_frequent(group: Sequence[str], images: Mapping[str, int]) -> str:
    """The name that most images have; of equals one without blanks at its ends or letters in parts, the first by name."""
    plain = {name: unicodedata.normalize("NFC", name.strip()) == name for name in group}
    return min(group, key=lambda name: (-images[name], not plain[name], name))


def _describe(groups: Sequence[Sequence[str]], images: Mapping[str, int], places: Mapping[str, str]) -> str:
    lines = []
    for group in groups[:GROUPS_LISTED]:
        each = [
            f"{_quoted(name)} ({count(images[name], 'image')}{f', as {printable(places[name])}' if name in places else ''})"
            for name in group
        ]
        lines.append(f"\n  - {', '.join(each)}; together {_quoted(_most_frequent(group, images))}")
    more = f"\n  - and {len(groups) - GROUPS_LISTED:,} more" if len(groups) > GROUPS_LISTED else ""
    return (
        "has classes whose names differ only in case, blanks, invisible characters, Unicode forms or zeros of a number. "
        "Set ingest.join_classes=true to make one class of each line, under the name that most images have, or false for a "
        f"class of each name:{''.join(lines)}{more}"
    )


def _quoted(name: str) -> str:
    """A name between quotation marks, with escapes where it has characters that look like others."""
    return repr(name) if unicodedata.normalize("NFC", name) == name else ascii(name)
