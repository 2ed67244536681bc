"""ImageNet's layout: folders and files named by WordNet ids, and lists that say the rest."""

import re
from functools import partial
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.empty_folders import with_those_above
from darkroom.sources.folder import require_folder, walk
from darkroom.sources.image_file import read_image_file
from darkroom.sources.junk_files import not_an_image, shown
from darkroom.sources.layout import SPLIT_FOLDERS
from darkroom.sources.source import Ignored, Listing, SourceImage
from darkroom.sources.synsets import NAME_FILES, TRUTH_FILES, WNID, class_names, read_truth

FILE_OF_WNID = re.compile(rf"({WNID.pattern})_")
NOT_IMAGES = (".xml", ".txt", ".csv", ".json", ".md", ".mat")


def list_imagenet(root: Path) -> Listing:
    """List a folder in ImageNet's layout, as ILSVRC, Kaggle and tiny-imagenet have it.

    An image's class is the folder named by a WordNet id that it lies in, at any depth; or else the id that its own name
    begins with; or else, for a flat `val/`, what a ground-truth list says. The folder above says the split. `val` counts as
    the test split, because the official test images have no labels, unless there is a test split with labels. Classes are in
    the order of their ids, under readable names where a list has them.

    Raises:
        DarkroomError: when `root` is no folder or can't be listed, when a list makes no sense, or when there are fewer than two
            classes or no images to train on.
    """
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
        if reason := not_an_image(folder, name):
            ignored.append(Ignored(shown(path), reason))
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

    filled = with_those_above(meaning)
    empty = (folder for folder in folders if folder not in filled and WNID.fullmatch(folder.rpartition("/")[2]))
    ignored += [Ignored(shown(folder), "an empty folder") for folder in empty]
    inputs = [lists[name] for name in TRUTH_FILES if name in lists][:1]
    truth = read_truth(inputs[0]) if inputs else {}
    for path, name in flat:
        if wnid := truth.get(name) or truth.get(name.rpartition(".")[0]):
            labelled.append((path, wnid, "validation"))
        else:
            ignored.append(Ignored(path, f"not in {inputs[0].name}" if inputs else _no_truth()))
    names, source_of_names = class_names(lists, {wnid for _, wnid, _ in labelled})
    images = _images(root, labelled, names)
    _require_training(root, images, names)
    classes = tuple(names[wnid] for wnid in sorted(names))
    return Listing(classes, images, sorted(ignored, key=lambda item: item.path), inputs + source_of_names)


def looks_like_imagenet(root: Path) -> bool:
    """Whether a folder holds Kaggle's list of classes, or it, or a train/ in it, only folders named by WordNet ids."""
    if (root / NAME_FILES[0]).is_file():
        return True
    for folder in (root, root / "train"):
        folders = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
        named = [name for name in folders if not name.startswith(".") and name not in SPLIT_FOLDERS]
        if named and all(WNID.fullmatch(name) for name in named):
            return True
    return False


def _wnid_and_split(folder: str) -> tuple[str | None, str | None]:
    """What the folders above an image say: the first that is a WordNet id, and the last before it that is a split."""
    split = None
    for part in folder.split("/"):
        if WNID.fullmatch(part):
            return part, split
        split = SPLIT_FOLDERS.get(part.lower(), split)
    return None, split


def _images(root: Path, labelled: list[tuple[str, str, str | None]], names: dict[str, str]) -> list[SourceImage]:
    """The images, sorted by path, with `val` as the test split where no other has labels."""
    splits = {split for _, _, split in labelled}
    placed = {split: split for split in splits}
    if "validation" in splits and "test" not in splits:
        placed["validation"] = "test"
    images = []
    for path, wnid, split in sorted(labelled):
        file = Path(f"{root}/{path}")
        images.append(SourceImage(path, names[wnid], placed[split], partial(read_image_file, file), file))
    return images


def _no_truth() -> str:
    return f"without a label: there is no ground-truth list ({', '.join(TRUTH_FILES)}) beside it"


def _require_training(root: Path, images: list[SourceImage], names: dict[str, str]) -> None:
    if len(names) < 2:
        raise DarkroomError(
            f"{root} holds images of {len(names)} classes in ImageNet's layout, which takes two or more folders named by "
            "WordNet ids, as n01440764: for folders with other names set ingest.source=folder"
        )
    splits = {image.split for image in images}
    if not {"train", None} & splits:
        raise DarkroomError(f"{root} holds no train/ beside its val/: give val/ itself to have its images divided")
