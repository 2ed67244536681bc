"""Which folders are the classes: what is recognised, and what stops with both readings."""

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.layout import Layout, lay_out


def layout(folders: str, class_level: int | None = None) -> Layout:
    """The layout of folders with two pictures each."""
    paths = [f"{folder}/{number}.png" for folder in folders.split() for number in (1, 2)]
    return lay_out(paths, "there", class_level=class_level)


def labels(found: Layout) -> dict[str, set[str | None]]:
    """The splits of the images of each class."""
    splits: dict[str, set[str | None]] = {name: set() for name in found.classes}
    for image in found.images:
        splits[image.label].add(image.split)
    return splits


@pytest.mark.parametrize(
    "names",
    [
        "training_set test_set",
        "seg_train seg_test",
        "train_images test_images",
        "Train_Data Test_Data",
        "TrainSet holdout",
        "flowers_train flowers_test",
        "wrap/training_set/training_set wrap/test_set/test_set",
        "train/images test/images",
    ],
)
def test_split_folders_by_other_names(names: str) -> None:
    train, test = names.split()
    found = layout(f"{train}/cats {train}/dogs {test}/cats {test}/dogs")
    assert labels(found) == {"cats": {"train", "test"}, "dogs": {"train", "test"}}
    assert len(found.images) == 8


def test_splits_inside_the_class_folders() -> None:
    found = layout("cats/train cats/test dogs/training dogs/test")
    assert labels(found) == {"cats": {"train", "test"}, "dogs": {"train", "test"}}


def test_splits_inside_the_class_folders_at_a_level_that_the_user_names() -> None:
    folders = "cat/train/near cat/train/far cat/test/near dog/train/near dog/train/far dog/test/far"
    assert labels(layout(folders, 1)) == {"cat": {"train", "test"}, "dog": {"train", "test"}}
    assert labels(layout(folders, 3)) == {"far": {"train", "test"}, "near": {"train", "test"}}


def test_a_folder_of_tables_beside_images_makes_them_no_class() -> None:
    names = ["images/cat/1.png", "images/dog/1.png", "metadata/rows.csv", "README.md"]
    found = lay_out(names, "there")
    assert [(image.path, image.name, image.label) for image in found.images] == [
        ("images/cat/1.png", "cat/1.png", "cat"),
        ("images/dog/1.png", "dog/1.png", "dog"),
    ]
    assert [(one.path, one.reason) for one in found.ignored] == [
        ("README.md", "not in a class folder"),
        ("metadata/rows.csv", "not in a class folder"),
    ]
    assert lay_out(["cat/rows.csv", "dog/pug/1.png", "dog/lab/1.png"], "there").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ("test", "in test/, which has no class folders: without a label"),
        ("seg_test/seg_test", "in seg_test/, which has no class folders: without a label"),
    ],
)
def test_a_split_without_class_folders_is_set_aside(beside: str, reason: str) -> None:
    found = layout(f"train/cat train/dog {beside}")
    assert labels(found) == {"cat": {"train"}, "dog": {"train"}}
    assert [item.reason for item in found.ignored] == [reason, reason]


def test_what_is_beside_splits_is_set_aside() -> None:
    found = layout("seg_train/a seg_train/b seg_test/a seg_test/b seg_pred")
    assert found.classes == ("a", "b")
    assert [item.path for item in found.ignored] == ["seg_pred/1.png", "seg_pred/2.png"]


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        ("train bus car", ("bus", "car", "train")),
        ("train/steam train/diesel car/suv car/van", ("car", "train")),
        ("train_station test_tube", ("test_tube", "train_station")),
        ("cat/persian cat/siam dog/pug dog/poodle", ("cat", "dog")),
        ("cat/more dog/more", ("cat", "dog")),
    ],
)
def test_class_folders_by_such_names_are_classes(folders: str, classes: tuple[str, ...]) -> None:
    found = layout(folders)
    assert found.classes == classes
    assert all(splits == {None} for splits in labels(found).values()) and not found.ignored


BOTH = r"\n  - ingest.class_level=1: {}\n  - ingest.class_level=2: {}$"


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            "day1/cat day1/dog day2/cat day2/dog",
            "folders day1, day2 contain folders of the same names, cat, dog: either may be the classes.*"
            + BOTH.format(r"day1 \(4\), day2 \(4\)", r"cat \(4\), dog \(4\)"),
        ),
        (
            "p1/well p2/ill p3/ill p3/well",
            "folders p1, p2, p3 .*" + BOTH.format(r"p1 \(2\), p2 \(2\), p3 \(4\)", r"ill \(4\), well \(4\)"),
        ),
        (
            "train/cat train/dog extra",
            r"train/ may be a split that contains the class folders cat, dog, or a class beside extra/\..*"
            + BOTH.format(r"extra \(2\), train \(4\)", r"cat \(2\), dog \(2\)"),
        ),
        ("train/cat train/dog extra/cat extra/dog", "may be a split"),
        ("w/cam1/mon/cat w/cam1/mon/dog w/cam2/tue/cat w/cam2/tue/dog", "class_level=2: cam1.*class_level=4: cat"),
        ("cat dog test/cat test/dog", r"test/ contains folders of the same names as those beside it \(cat, dog\)"),
        (
            "a/train/cat a/train/dog a/test/cat a/test/dog b/train/cat b/train/dog b/test/cat b/test/dog",
            r"folders a/test, a/train, b/test, b/train contain folders of the same names, cat, dog: .*"
            r"class_level=1: a \(8\), b \(8\)\n.*class_level=3: cat \(8\), dog \(8\)$",
        ),
        (
            "classify/train/a classify/train/b classify/test/a classify/test/b segment/train/images",
            r"class_level=3: a \(4\), b \(4\), images \(2\)$",
        ),
        ("train test1", r"contains test1/ and train/ with files directly in them"),
        ("train test", "files directly in them.*if these are the classes, set ingest.class_level=1"),
    ],
)
def test_two_readings_stop_with_both(folders: str, message: str) -> None:
    with pytest.raises(DarkroomError, match=f"(?s){message}"):
        layout(folders)


def test_the_level_that_the_user_names() -> None:
    days = "day1/cat day1/dog day2/cat day2/dog"
    assert layout(days, 1).classes == ("day1", "day2")
    found = layout(days, 2)
    assert labels(found) == {"cat": {None}, "dog": {None}}
    assert [image.name for image in found.images[:2]] == ["day1/cat/1.png", "day1/cat/2.png"]
    assert layout(f"w/{days.replace(' ', ' w/')}", 3).classes == ("cat", "dog")
    assert labels(layout("train/mon/cat train/mon/dog test/mon/cat", 3)) == {"cat": {"train", "test"}, "dog": {"train"}}
    beside = layout("train/cat train/dog extra", 2)
    assert beside.classes == ("cat", "dog")
    assert [item.reason for item in beside.ignored] == ["outside the train, validation and test folders"] * 2
    assert [item.reason for item in layout(f"{days} misc", 2).ignored] == ["not in a class folder"] * 2
    with pytest.raises(DarkroomError, match=r"no files in folders at ingest.class_level=3: .* is at level 2"):
        layout(days, 3)
