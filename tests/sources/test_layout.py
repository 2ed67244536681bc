"""What paths say: class folders, split folders, one wrapping folder, and what is no image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.layout import Layout, lay_out


def layout(*paths: str) -> Layout:
    return lay_out(paths, "there")


def rows(found: Layout) -> list[tuple[str, str, str | None]]:
    return [(image.name, image.label, image.split) for image in found.images]


def test_class_folders() -> None:
    found = layout("dog/b.png", "cat/deep/er/a.png", "cat/ä ö.jpg")
    assert found.classes == ("cat", "dog")
    assert rows(found) == [("cat/deep/er/a.png", "cat", None), ("cat/ä ö.jpg", "cat", None), ("dog/b.png", "dog", None)]
    assert found.images[0].path == "cat/deep/er/a.png"


def test_class_folders_that_are_numbers_are_in_their_order() -> None:
    assert layout("10/a.png", "9/a.png", "0/a.png").classes == ("0", "9", "10")


def test_a_wrapping_folder_is_stepped_into_and_files_are_still_found() -> None:
    found = layout("set/v1/dog/b.png", "set/v1/cat/a.png")
    assert rows(found) == [("cat/a.png", "cat", None), ("dog/b.png", "dog", None)]
    assert found.images[1].path == "set/v1/dog/b.png"


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_split_folders(validation: str) -> None:
    found = layout(
        "data/train/cat/a.png", f"data/{validation}/dog/b.png", "data/test/cat/c.png", "data/extra/cat/d.png"
    )
    assert {(label, split) for _, label, split in rows(found)} == {
        ("cat", "train"), ("dog", "validation"), ("cat", "test"),
    }  # fmt: skip
    assert [item.reason for item in found.ignored] == ["outside the train, validation and test folders"]


def test_files_beside_the_class_folders_are_named_and_most_pictures_must_not_be_there() -> None:
    found = layout("set/cat/a.png", "set/dog/b.png", "set/labels.csv", "README")
    assert rows(found) == [("cat/a.png", "cat", None), ("dog/b.png", "dog", None)]
    assert [item.path for item in found.ignored] == ["README", "set/labels.csv"]
    with pytest.raises(DarkroomError, match=r"3 pictures outside the class folders new, odd, and 2 in them"):
        layout("cat/a.png", "cat/b.png", "cat/c.png", "cat/odd/b.png", "cat/new/c.png")
    with pytest.raises(DarkroomError, match=r"3 pictures outside the class folders new, odd, and 2 in them"):
        layout("train/a.png", "train/b.png", "train/c.png", "train/odd/b.png", "train/new/c.png")


def test_train_alone_is_a_split_and_so_is_train_beside_files_without_classes() -> None:
    assert rows(layout("train/cat/a.png", "train/dog/b.png"))[0] == ("train/cat/a.png", "cat", "train")
    found = layout("train/cat/a.png", "train/dog/b.png", "test/1.png")
    assert found.classes == ("cat", "dog")
    assert [(item.path, item.reason) for item in found.ignored] == [
        ("test/1.png", "in test/, which has no class folders: without a label")
    ]


def test_classes_called_train_and_bus_are_classes() -> None:
    assert layout("train/a.png", "bus/b.png").classes == ("bus", "train")


def test_what_is_no_image_is_ignored_by_name() -> None:
    found = layout("cat/a.png", "dog/b.png", "dog/Thumbs.db", "cat/.DS_Store", "__MACOSX/cat/a.png", "labels.csv",
        "cat/@eaDir/a.png", ".ipynb_checkpoints/a.png", "dog/.git/x", "cat/caf\udce9.png")  # fmt: skip
    assert {item.path: item.reason for item in found.ignored} == {
        ".ipynb_checkpoints/a.png": "hidden",
        "__MACOSX/cat/a.png": "left by the system",
        "cat/.DS_Store": "hidden",
        "cat/@eaDir/a.png": "left by the system",
        "cat/caf\\xe9.png": "its name is not in UTF-8: rename it",
        "dog/.git/x": "hidden",
        "dog/Thumbs.db": "left by the system",
        "labels.csv": "not in a class folder",
    }


def test_class_folders_without_images_are_named() -> None:
    def named(paths: list[str], folders: list[str]) -> dict[str, str]:
        files = set(paths)
        return {item.path: item.reason for item in lay_out(paths, "there", folders).ignored if item.path not in files}

    wrapped = ["set/cat/a.png", "set/dog/b.png", "set/owl/deep/Thumbs.db"]
    folders = ["set", "set/cat", "set/cat/more", "set/ant/deep", "set/.git", "beside"]
    assert named(wrapped, folders) == {
        "beside": "an empty folder", "set/ant": "an empty folder", "set/owl": "a folder without images",
    }  # fmt: skip
    split = ["train/cat/a.png", "train/dog/b.png", "test/cat/c.png", "test/dog/.x"]
    assert named(split, ["train/owl", "val/cat", "val/dog", "test/cat/more"]) == {
        "test/dog": "a folder without images", "train/owl": "an empty folder", "val": "an empty folder",
    }  # fmt: skip


def test_masks_are_set_aside_by_name_and_taken_where_the_user_names_the_level() -> None:
    paths = (
        "cat/images/1.png",
        "cat/masks/1.png",
        "dog/2.png",
        "dog/Ground-Truth/2.png",
        "dog/3.png",
        "dog/3_mask.png",
    )
    found = layout(*paths)
    assert [image.name for image in found.images] == ["cat/images/1.png", "dog/2.png", "dog/3.png"]
    assert [item.path for item in found.ignored] == ["cat/masks/1.png", "dog/3_mask.png", "dog/Ground-Truth/2.png"]
    assert {item.reason for item in found.ignored} == {
        "a mask of an image beside it: with ingest.class_level=1 for class folders at the top, and so on, masks are images, too"
    }
    assert len(lay_out(paths, "there", class_level=1).images) == 6
    assert rows(layout("images/cat/1.png", "images/dog/1.png", "masks/cat/1.png", "masks/dog/1.png")) == [
        ("cat/1.png", "cat", None), ("dog/1.png", "dog", None),
    ]  # fmt: skip
    assert layout("train/with_mask/a.png", "train/without_mask/a.png").classes == ("with_mask", "without_mask")


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "no class folders"),
        (("a.png",), "no class folders.*1 file elsewhere, 1 of them not in a class folder, as a.png"),
        (("cat/a.png", "cat/b.png"), "only one class, 'cat', with 2 files"),
        (("set/cat/a.png",), "only one class, 'cat'"),
        (("test/cat/a.png", "test/dog/b.png"), "contains test/ and nothing to train on"),
        (("test/cat/a.png", "val/dog/b.png"), "contains test/ and val/ and nothing to train on"),
        (("cat\\a.png", "dog\\b.png"), r"hold \\, as 'cat.*a\.png', where / should divide.*made on Windows"),
        (("set/cat\\a.png", "set/dog\\b.png"), r"hold \\, as"),
        (("train/a.png", "test/b.png"), "contains test/ and train/ with files directly in them"),
    ],
)
def test_too_little(paths: tuple[str, ...], message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        layout(*paths)


NAME = st.sampled_from(
    [
        "train",
        "test_set",
        "Training Set",
        "val",
        "cat",
        "dog",
        "images",
        "masks",
        "a.png",
        "a_mask.png",
        ".x",
        "Thumbs.db",
    ]
)


@given(st.sets(st.lists(NAME, min_size=1, max_size=4).map("/".join), max_size=12))
def test_no_file_vanishes(paths: set[str]) -> None:
    try:
        found = layout(*paths)
    except DarkroomError:
        return
    ignored = [item.path for item in found.ignored if item.reason != "a folder without images"]
    assert len(found.images) + len(ignored) == len(paths)
    assert {image.path for image in found.images} | set(ignored) == paths
    named = [item.path for item in found.ignored if item.reason == "a folder without images"]
    assert all(any(path.startswith(f"{folder}/") for path in ignored) for folder in named)
