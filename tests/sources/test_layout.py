"""What paths say: class folders, split folders, one wrapping folder, and what is no image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.errors import DarkroomError
from darkroom.sources.layout import lay_out
from darkroom.sources.source import Listing


def listing(*paths: str) -> Listing:
    return lay_out(paths, str.encode, "there")


def rows(found: Listing) -> list[tuple[str, str, str | None]]:
    return [(image.path, image.label, image.split) for image in found.images]


def test_class_folders() -> None:
    found = listing("dog/b.png", "cat/deep/er/a.png", "cat/ä ö.jpg")
    assert found.classes == ("cat", "dog")
    assert rows(found) == [("cat/deep/er/a.png", "cat", None), ("cat/ä ö.jpg", "cat", None), ("dog/b.png", "dog", None)]
    assert found.images[0].read() == b"cat/deep/er/a.png"


def test_a_wrapping_folder_is_stepped_into_and_files_are_still_found() -> None:
    found = listing("set/v1/dog/b.png", "set/v1/cat/a.png")
    assert rows(found) == [("cat/a.png", "cat", None), ("dog/b.png", "dog", None)]
    assert found.images[1].read() == b"set/v1/dog/b.png"


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_split_folders(validation: str) -> None:
    found = listing(
        "data/train/cat/a.png", f"data/{validation}/dog/b.png", "data/test/cat/c.png", "data/extra/cat/d.png"
    )
    assert {(label, split) for _, label, split in rows(found)} == {
        ("cat", "train"), ("dog", "validation"), ("cat", "test"),
    }  # fmt: skip
    assert [item.reason for item in found.ignored] == ["outside the train, validation and test folders"]


def test_classes_called_train_and_bus_are_classes() -> None:
    assert listing("train/a.png", "bus/b.png").classes == ("bus", "train")


def test_what_is_no_image_is_ignored_by_name() -> None:
    found = listing("cat/a.png", "dog/b.png", "dog/Thumbs.db", "cat/.DS_Store", "__MACOSX/cat/a.png", "labels.csv")
    assert {item.path: item.reason for item in found.ignored} == {
        "__MACOSX/cat/a.png": "hidden",
        "cat/.DS_Store": "hidden",
        "dog/Thumbs.db": "left by the system",
        "labels.csv": "not in a class folder",
    }


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "no class folders"),
        (("a.png",), "no class folders.*1 files elsewhere"),
        (("cat/a.png", "cat/b.png"), "only one class, 'cat', with 2 files"),
        (("set/cat/a.png",), "only one class, 'cat'"),
    ],
)
def test_too_little(paths: tuple[str, ...], message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        listing(*paths)


NAME = st.sampled_from(["train", "test", "val", "cat", "dog", "a.png", ".x", "Thumbs.db"])


@given(st.sets(st.lists(NAME, min_size=1, max_size=4).map("/".join), max_size=12))
def test_no_file_vanishes(paths: set[str]) -> None:
    try:
        found = listing(*paths)
    except DarkroomError:
        return
    assert len(found.images) + len(found.ignored) == len(paths)
    assert {image.read().decode() for image in found.images} | {item.path for item in found.ignored} == paths
