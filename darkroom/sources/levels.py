"""Find which folders are the classes: those at the top, or those inside split folders; or stop with all that makes sense."""

from collections import Counter
from collections.abc import Mapping, Set

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.names import describe_classes, describe_names
from darkroom.sources.reading import Folder, Reading, are_splits
from darkroom.sources.split_names import is_for_images, parse_split, split_of


def find_level(counts: Mapping[Folder, int], start: Folder, where: str) -> Reading:
    """Find the class folders by names and structure.

    Args:
        counts: how many pictures are directly in each folder, masks left out.
        start: the folder that contains all others.
        where: the source, for messages.

    Raises:
        DarkroomError: when there is nothing to train on, or two readings make sense, with both.
    """
    inside = _folders_in(counts)
    tops = inside.get(start, {})
    roots = {name: _without_doubling(counts, inside, (*start, name)) for name in tops if parse_split(name)}
    if roots and all(_has_only_images(counts, inside, root) for root in roots.values()):
        roots = {name: (*root, *inside[root]) for name, root in roots.items()}
    inner = {name: set(inside.get(roots.get(name, (*start, name)), ())) for name in tops}
    splits = _split_folders(inner, counts, start, where)
    aside = {
        (*start, name): f"in {name}/, which has no class folders: without a label" for name in splits if not inner[name]
    }
    reading = Reading({roots[name]: split for name, split in splits.items() if inner[name]} or {start: None}, aside)
    if not splits:
        _require_no_classes_inside(tops.keys(), inner, start, where)
    return _with_one_meaning(reading, counts, start, where)


def _require_no_classes_inside(tops: Set[str], inner: Mapping[str, set[str]], start: Folder, where: str) -> None:
    """Stop where a class folder contains other classes, as `test/cat` and `test/dog` beside `cat` and `dog`."""
    for name in sorted(tops):
        if len(same := sorted(inner[name] & (tops - {name}))) > 1:
            raise DarkroomError(
                f"{where}: {printable(name)}/ contains folders of the same names as those beside it "
                f"({describe_names(same)}): if it is a split, put those beside it into a train/; "
                f"ingest.class_level={len(start) + 1} makes {printable(name)} a class like the others"
            )


def _folders_in(counts: Mapping[Folder, int]) -> dict[Folder, dict[str, None]]:
    """For each folder that contains folders, their names."""
    found: dict[Folder, dict[str, None]] = {}
    for folder in counts:
        for depth in range(len(folder)):
            found.setdefault(folder[:depth], {})[folder[depth]] = None
    return found


def _without_doubling(
    counts: Mapping[Folder, int], inside: Mapping[Folder, Mapping[str, None]], root: Folder
) -> Folder:
    """Step from `training_set/` into the `training_set/` that is all it has, as archives on Kaggle have it."""
    while root not in counts and len(names := [*inside.get(root, ())]) == 1:
        if parse_split(names[0]) != parse_split(root[-1]):
            return root
        root = (*root, names[0])
    return root


def _has_only_images(counts: Mapping[Folder, int], inside: Mapping[Folder, Mapping[str, None]], root: Folder) -> bool:
    """Whether all that a folder has is one folder named `images` or the like."""
    names = [*inside.get(root, ())]
    return root not in counts and len(names) == 1 and is_for_images(names[0])


def _split_folders(
    inner: Mapping[str, set[str]], counts: Mapping[Folder, int], start: Folder, where: str
) -> dict[str, str]:
    """Split of each top folder that is one; none where the top folders are classes.

    Names alone do not decide, since classes may be called `train` and `test`: a training folder has class folders in it.

    Args:
        inner: top folder → the folders in it.
        counts, start, where: as for `find_level`.
    """
    splits = {name: split for name in inner if (split := split_of(name))} | _alike_but_for_the_split(inner)
    training = [name for name, split in splits.items() if split == "train" and inner[name]]
    others = [name for name in inner if name not in splits]
    if training and any(inner[name] for name, split in splits.items() if split != "train"):
        return splits
    if splits and not others:
        _require_training(splits, inner, start, where)
        return splits
    classes = set[str]().union(*(inner[name] for name in training))
    if len(classes) < 2:
        return {}
    if any(split != "train" for split in splits.values()):  # test/ without class folders, for images without labels
        return splits
    if any(not inner[name] or len(inner[name] & classes) * 2 >= len(inner[name]) for name in others):
        names = describe_names([f"{name}/" for name in sorted(others)])
        raise DarkroomError(
            f"{where}: {printable(training[0])}/ may be a split that contains the class folders "
            f"{describe_names(sorted(classes))}, or a class beside {names}. {_choices(counts, start)}"
        )
    return {}


def _alike_but_for_the_split(inner: Mapping[str, set[str]]) -> dict[str, str]:
    """Top folders as `flowers_train` and `flowers_test`: other words are equal, and the same class folders are inside."""
    parsed = {name: found for name in inner if (found := parse_split(name)) and found.rest}
    splits: dict[str, str] = {}
    for name, found in parsed.items():
        if found.split != "train" or len(inner[name]) < 2:
            continue
        for other, one in parsed.items():
            shared = len(inner[name] & inner[other]) * 2 >= len(inner[other])
            if one.rest == found.rest and one.split != "train" and shared:
                splits |= {name: "train", other: one.split}
    return splits


def _require_training(splits: Mapping[str, str], inner: Mapping[str, set[str]], start: Folder, where: str) -> None:
    """Stop where all top folders are splits, and none of them has classes to train on."""
    names = printable(" and ".join(f"{name}/" for name in sorted(splits)))
    if not any(inner[name] for name in splits):
        raise DarkroomError(
            f"{where} contains {names} with files directly in them: put a folder for each class into each of them; if these "
            f"are the classes, set ingest.class_level={len(start) + 1}"
        )
    if not any(inner[name] for name, split in splits.items() if split == "train"):
        raise DarkroomError(
            f"{where} contains {names} and nothing to train on: put a train/ with class folders beside it; or, to have "
            "Darkroom divide these images, give it a folder that contains the class folders directly"
        )


def _with_one_meaning(reading: Reading, counts: Mapping[Folder, int], start: Folder, where: str) -> Reading:
    """Stop where the folders in the class folders repeat, as in `monday/cat` and `tuesday/cat`: either may be the classes."""
    below: Counter[Folder] = Counter()
    for folder, pictures in counts.items():
        root = next((root for root in reading.roots if folder[: len(root)] == root and folder != root), None)
        if root is not None and reading.of(folder)[2] is None:
            below[folder[len(root) :]] += pictures
    # Where the folders in the class folders are splits, as in `cat/train`, whatever is in these counts in each split anew.
    tops = {folder[1] for folder in below if len(folder) > 1}
    splits_inside = are_splits(tops) and all(len(folder) > 1 for folder in below)
    for depth in range(2 if splits_inside else 1, max(map(len, below), default=0)):
        inside = {(folder[: 2 if splits_inside else 1], folder[depth]) for folder in below if len(folder) > depth}
        times = Counter(name for _, name in inside)
        repeated = sorted(name for name, number in times.items() if number > 1)
        nested = sum(pictures for folder, pictures in below.items() if len(folder) > depth)
        if len(repeated) < 2 or nested * 2 < below.total() or sum(times[n] for n in repeated) * 2 < len(inside):
            continue
        outer = sorted({"/".join(folder) for folder, name in inside if name in repeated})
        raise DarkroomError(
            f"{where}: the folders {describe_names(outer)} contain folders of the same names, {describe_names(repeated)}: "
            f"either may be the classes. {_choices(counts, start)}"
        )
    return Reading(reading.roots, reading.aside, splits_inside=True) if splits_inside else reading


def _choices(counts: Mapping[Folder, int], start: Folder) -> str:
    """The values of `ingest.class_level` that make sense, with the classes that each gives."""
    choices = []
    for level in range(len(start) + 1, max(map(len, counts)) + 1):
        found = Counter[str]()
        for folder, pictures in counts.items():
            found[folder[level - 1] if len(folder) >= level else ""] += pictures
        del found[""]
        if len(found) > 1 and found.total() * 10 >= sum(counts.values()):
            choices.append(f"\n  - ingest.class_level={level}: {describe_classes(dict(sorted(found.items())))}")
    return f"Choose the level of the class folders:{''.join(choices)}"
