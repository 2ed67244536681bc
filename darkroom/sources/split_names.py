"""How people write the names of splits, and of folders with images and with masks: the words, whatever is set between them."""

import re
from functools import lru_cache
from typing import NamedTuple

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
IMAGE_WORDS = {"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics", "png", "jpg", "jpeg"}
MASK_WORDS = {"mask", "masks", "segmentation", "segmentations", "annotation", "annotations", "trimap", "trimaps"}
MASK_WORDS |= {"groundtruth", "gt"}
# Say nothing of their own beside a word for a split, images or masks. `seg` is Intel's scenes: `seg_train`, `seg_test`.
NEUTRAL_WORDS = IMAGE_WORDS | {
    "set",
    "sets",
    "data",
    "dataset",
    "datasets",
    "split",
    "folder",
    "seg",
    "files",
    "samples",
}
WORDS = re.compile(r"[a-z]+|[^\W\d_]+|\d+")
# `trainset`, `validationdata`: the longest words first, so that `training` is not `train` and a rest.
FUSED = re.compile(
    "({0})({1})|({1})({0})".format(
        *("|".join(sorted(words, key=len, reverse=True)) for words in (SPLIT_WORDS, NEUTRAL_WORDS))
    )
)


class SplitName(NamedTuple):
    """A name that has a word for a split in it.

    Attributes:
        split: `train`, `validation` or `test`.
        rest: its other words, but for numbers and the neutral ones; names that differ only in their split have the same.
    """

    split: str
    rest: tuple[str, ...]


@lru_cache(maxsize=1 << 16)
def parse_split(name: str) -> SplitName | None:
    """The split that a name says, in any case, with `-`, `_`, a blank or nothing between its words; None for none or two."""
    words = _words(name)
    splits = [word for word in words if word in SPLIT_WORDS]
    if len(splits) != 1:
        return None
    known = SPLIT_WORDS.keys() | NEUTRAL_WORDS
    rest = [word for word in words if word not in known and not word.isdigit()]
    return SplitName(SPLIT_WORDS[splits[0]], tuple(rest))


def split_of(name: str) -> str | None:
    """`train`, `validation` or `test`, where a name says that and no more: `Train_Data`, `seg_test`, `val2017`."""
    parsed = parse_split(name)
    return parsed.split if parsed and not parsed.rest else None


def is_bare_split(name: str) -> bool:
    """Whether a name is a word for a split and nothing else."""
    return name.lower() in SPLIT_WORDS


def is_for_images(name: str) -> bool:
    """Whether a folder is named for having images in it, as `images` or `Image_Data`."""
    words = set(_words(name))
    return bool(words & IMAGE_WORDS) and words <= NEUTRAL_WORDS


def is_for_masks(name: str) -> bool:
    """Whether a folder is named for having masks of images in it, as `masks` or `ground_truth`."""
    words = set(_words(name)) - {"binary"}
    return bool(words & MASK_WORDS) and words <= MASK_WORDS | NEUTRAL_WORDS


@lru_cache(maxsize=1 << 16)
def _words(name: str) -> tuple[str, ...]:
    """`TrainSet`, `train-set` and `trainset` → train, set."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    joined = re.sub("(hold|ground)[-_ ]+(out|truth)", r"\1\2", spaced.lower())
    words: list[str] = []
    for word in WORDS.findall(joined):
        fused = FUSED.fullmatch(word)
        words += [part for part in fused.groups() if part] if fused else [word]
    return tuple(words)
