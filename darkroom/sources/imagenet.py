"""ImageNet's layout: folders and files named by WordNet ids, and the lists for the rest."""

import json
import re
from collections import Counter
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.class_names import folded
from darkroom.sources.empty_folders import with_parents
from darkroom.sources.folder import read_files
from darkroom.sources.folder_columns import require_folder
from darkroom.sources.image_files import walk
from darkroom.sources.names import as_utf8, junk_reason
from darkroom.sources.reading import LINK, LINKED_CLASS
from darkroom.sources.source import Ignored, Listing, Location, SourceImage, SourceKind, files_by_listing
from darkroom.sources.split_names import split_of

# The first that is there is used. Kaggle's, tiny-imagenet's, and plain lists.
TRUTH_FILES = ("LOC_val_solution.csv", "val_annotations.txt", "val.txt", "ground_truth.txt")
NAME_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt", "imagenet_class_index.json")
WNID = re.compile(r"n\d{8}")
FILE_OF_WNID = re.compile(rf"({WNID.pattern})_")
NOT_IMAGES = (".xml", ".txt", ".csv", ".json", ".md", ".mat")


def list_imagenet(location: Location) -> Listing:
    """List a folder in ImageNet's layout, as ILSVRC, Kaggle and tiny-imagenet have it.

    An image's class is the folder named by a WordNet id that it is in, at any depth; or else the id that its own name
    begins with; or else, for a flat `val/`, the label in a ground-truth list. The folder above is the split. `val` counts as
    the test split, because the official test images have no labels, unless there is a test split with labels. Classes are in
    the order of their ids, under readable names where a list has them.

    Raises:
        DarkroomError: when the path is no folder or can't be listed, when a list makes no sense, or when there are fewer than
            two classes or no images to train on.
    """
    root = location.path
    require_folder(root)
    paths, folders, ignored = walk(root)
    meaning: dict[str, tuple[str | None, str | None]] = {}
    labelled: list[tuple[str, str, str | None]] = []
    flat: list[tuple[str, str]] = []
    lists: dict[str, Path] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if folder not in meaning:
            meaning[folder] = _wnid_and_split(folder)
        wnid, split = meaning[folder]
        if reason := junk_reason(folder, name):
            ignored.append(Ignored(as_utf8(path), reason))
        elif name.lower().endswith(NOT_IMAGES):
            ignored.append(Ignored(path, "not an image"))
            if wnid is None and name in (*NAME_FILES, *TRUTH_FILES):
                lists.setdefault(name, root / path)
        elif wnid or (found := FILE_OF_WNID.match(name)):
            labelled.append((path, wnid or found[1], split))  # type: ignore[index]
        elif split == "validation":
            flat.append((path, name))
        else:
            ignored.append(Ignored(path, "without a label: neither a folder nor its own name has a WordNet id"))

    filled = with_parents(meaning)
    ignored = [
        one._replace(reason=LINKED_CLASS) if one.reason == LINK and WNID.fullmatch(one.path.rpartition("/")[2]) else one
        for one in ignored
    ]
    empty = (folder for folder in folders if folder not in filled and WNID.fullmatch(folder.rpartition("/")[2]))
    ignored += [Ignored(as_utf8(folder), "an empty folder") for folder in empty]
    inputs = [lists[name] for name in TRUTH_FILES if name in lists][:1]
    truth = read_truth(inputs[0]) if inputs else {}
    for path, name in flat:
        if wnid := truth.get(name) or truth.get(name.rpartition(".")[0]):
            labelled.append((path, wnid, "validation"))
        else:
            ignored.append(Ignored(path, f"not in {inputs[0].name}" if inputs else _no_truth()))
    names, source_of_names = class_names(lists, {wnid for _, wnid, _ in labelled})
    images = _images(labelled, names)
    _require_training(root, images, names)
    classes = tuple(names[wnid] for wnid in sorted(names))
    lists_read = [file.relative_to(root).as_posix() for file in inputs + source_of_names]
    return Listing(classes, images, sorted(ignored, key=lambda item: item.path), lists_read)


def looks_like_imagenet(root: Path) -> bool:
    """Whether a folder has Kaggle's list of classes, or it, or a train/ in it, has only folders named by WordNet ids."""
    if (root / NAME_FILES[0]).is_file():
        return True
    for folder in (root, root / "train"):
        folders = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        class_folders = [name for name in folders if not name.startswith(".") and split_of(name) is None]
        if class_folders and all(WNID.fullmatch(name) for name in class_folders):
            return True
    return False


def _wnid_and_split(folder: str) -> tuple[str | None, str | None]:
    """Id and split from the folders above an image: the first that is a WordNet id, and the last before it that is a split."""
    split = None
    for part in folder.split("/"):
        if WNID.fullmatch(part):
            return part, split
        split = split_of(part) or split
    return None, split


def _images(labelled: list[tuple[str, str, str | None]], names: dict[str, str]) -> list[SourceImage]:
    """The images, sorted by path, with `val` as the test split where no other has labels."""
    splits = {split for _, _, split in labelled}
    placed = {split: split for split in splits}
    if "validation" in splits and "test" not in splits:
        placed["validation"] = "test"
    return [SourceImage(path, names[wnid], placed[split], path) for path, wnid, split in sorted(labelled)]


def _no_truth() -> str:
    return f"without a label: there is no ground-truth list ({', '.join(TRUTH_FILES)}) beside it"


def _require_training(root: Path, images: list[SourceImage], names: dict[str, str]) -> None:
    if len(names) < 2:
        raise DarkroomError(
            f"{root} contains images of {len(names)} classes in ImageNet's layout, which takes two or more folders named by "
            "WordNet ids, as n01440764: for folders with other names set ingest.source=folder"
        )
    splits = {image.split for image in images}
    if not {"train", None} & splits:
        raise DarkroomError(f"{root} contains no train/ beside its val/: give val/ itself to have its images divided")


def read_truth(file: Path) -> dict[str, str]:
    """File name (Kaggle: without its suffix) → WordNet id, from a ground-truth list.

    A line has a file and its id, with a comma (Kaggle), a tab (tiny-imagenet) or a blank between; boxes may follow. Kaggle's
    list has a header.

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
                f"{file}, line {number}: {printable(name)} is {wnid} here and {truth[name]} before: keep one of them"
            )
    return truth


def class_names(lists: dict[str, Path], wnids: set[str]) -> tuple[dict[str, str], list[Path]]:
    """WordNet id → class name, for the given ids, and the file that the names are from, if there is one.

    A name is the first of a class's words: "tench" of "tench, Tinca tinca". Where two classes have the same but for
    case, as the two cranes, or the dog Cardigan and the garment, the id is added. A class that no list names keeps its id.

    Args:
        lists: those of `NAME_FILES` that are there.
        wnids: of the classes that have images.

    Raises:
        DarkroomError: when the list can't be read.
    """
    file = next((lists[name] for name in NAME_FILES if name in lists), None)
    words = {} if file is None else _read_json(file) if file.suffix == ".json" else _read_words(file)
    names = {wnid: words.get(wnid) or wnid for wnid in wnids}
    counts = Counter(map(folded, names.values()))
    unique = {wnid: name if counts[folded(name)] == 1 else f"{name} ({wnid})" for wnid, name in names.items()}
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


IMAGENET = SourceKind(
    "imagenet", detect=looks_like_imagenet, files=files_by_listing, list=list_imagenet, reader=read_files
)
