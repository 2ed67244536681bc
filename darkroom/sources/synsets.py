"""The lists that come with ImageNet: which class a validation image is of, and what people call a class."""

import json
import re
from collections import Counter
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.junk_files import printed

# The first that is there is used. Kaggle's, tiny-imagenet's, and plain lists.
TRUTH_FILES = ("LOC_val_solution.csv", "val_annotations.txt", "val.txt", "ground_truth.txt")
NAME_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt", "imagenet_class_index.json")
WNID = re.compile(r"n\d{8}")


def read_truth(file: Path) -> dict[str, str]:
    """File name (Kaggle: without its suffix) → WordNet id, from a ground-truth list.

    A line holds a file and its id, with a comma (Kaggle), a tab (tiny-imagenet) or a blank between; boxes may follow. Kaggle's
    has a header.

    Raises:
        DarkroomError: for a line without an id, and for a file with two of them.
    """
    truth: dict[str, str] = {}
    with_header = file.suffix == ".csv"
    for number, line in enumerate(_text(file).splitlines(), 1):
        if not line.strip() or (with_header and number == 1):
            continue
        words = line.split(",") if with_header else line.replace("\t", " ").split()
        name = words[0].rpartition("/")[2]
        wnid = words[1].split()[0] if len(words) > 1 and words[1].strip() else ""
        if not WNID.fullmatch(wnid):
            raise DarkroomError(
                f"{file}, line {number}: {line[:60]!r} has no WordNet id after the file's name, as in 'val_1.JPEG n01751748'"
            )
        if truth.setdefault(name, wnid) != wnid:
            raise DarkroomError(
                f"{file}, line {number}: {printed(name)} is {wnid} here and {truth[name]} before: keep one of them"
            )
    return truth


def class_names(lists: dict[str, Path], wnids: set[str]) -> tuple[dict[str, str], list[Path]]:
    """WordNet id → class name, for the given ids, and the file that the names are from, if there is one.

    A name is the first of a class's words: "tench" of "tench, Tinca tinca". Where two classes have the same, as the two
    cranes, the id is added. A class that no list names keeps its id.

    Args:
        lists: those of `NAME_FILES` that are there.
        wnids: of the classes that have images.

    Raises:
        DarkroomError: when the list can't be read.
    """
    file = next((lists[name] for name in NAME_FILES if name in lists), None)
    words = {} if file is None else _read_json(file) if file.suffix == ".json" else _read_words(file)
    names = {wnid: words.get(wnid) or wnid for wnid in wnids}
    counts = Counter(names.values())
    unique = {wnid: name if counts[name] == 1 else f"{name} ({wnid})" for wnid, name in names.items()}
    return unique, [file] if file else []


def _read_words(file: Path) -> dict[str, str]:
    """Lines of an id, a blank or a tab, and words divided by commas."""
    names = {}
    for line in _text(file).splitlines():
        wnid, *rest = line.split(maxsplit=1)[:2] or [""]
        if WNID.fullmatch(wnid) and rest:
            names[wnid] = rest[0].partition(",")[0].strip()
    return names


def _read_json(file: Path) -> dict[str, str]:
    """Keras's list: {"0": ["n01440764", "tench"], …}."""
    try:
        return {wnid: str(name) for wnid, name in json.loads(_text(file)).values()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DarkroomError(f'{file} is not a list of the form {{"0": ["n01440764", "tench"]}} ({error})') from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DarkroomError(f"{file} is not in UTF-8 ({error}): save it so") from None
