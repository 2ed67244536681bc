"""ImageNet's layout in the forms that it is found in: ILSVRC, Kaggle, tiny-imagenet, and files named by their ids."""

import json
import zipfile
from pathlib import Path

import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.sources.imagenet import IMAGENET, looks_like_imagenet
from tests.support.listed import Source, listed

TENCH, CRANE_BIRD, CRANE_MACHINE = "n01440764", "n02012849", "n03126707"
WORDS = {TENCH: "tench, Tinca tinca", CRANE_BIRD: "crane", CRANE_MACHINE: "crane"}
NAMES = ("tench", f"crane ({CRANE_BIRD})", f"crane ({CRANE_MACHINE})")


def make(root: Path, *paths: str, **texts: str) -> Path:
    """Empty files, and text files whose names have `__` for a slash and end in their own suffix."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for name, text in texts.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def rows(listing: Source) -> dict[str, tuple[str, str | None]]:
    return {image.path: (image.label, image.split) for image in listing.images}


TRAIN = [f"train/{wnid}/{wnid}_{number}.JPEG" for wnid in WORDS for number in (1, 20)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOC_synset_mapping_dot_txt", "\n".join(f"{wnid} {words}" for wnid, words in WORDS.items())),
        ("synset_words_dot_txt", "\n".join(f"{wnid} {words}" for wnid, words in WORDS.items())),
        ("words_dot_txt", "n00001740\tentity\n" + "\n".join(f"{wnid}\t{words}" for wnid, words in WORDS.items())),
        (
            "imagenet_class_index_dot_json",
            json.dumps({str(at): [wnid, words.partition(",")[0]] for at, (wnid, words) in enumerate(WORDS.items())}),
        ),
    ],
)
def test_readable_names_that_stay_unique(tmp_path: Path, name: str, text: str) -> None:
    listing = listed(IMAGENET, make(tmp_path, *TRAIN, **{name: text}))
    assert listing.classes == NAMES
    assert listing.listing.inputs == [name.replace("_dot_", ".")]
    assert rows(listing)[f"train/{CRANE_BIRD}/{CRANE_BIRD}_1.JPEG"] == (NAMES[1], "train")


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "train/n00000001/images").mkdir(parents=True)
    (tmp_path / "train/other").mkdir()
    listing = listed(IMAGENET, make(tmp_path, *TRAIN, f"Annotations/{TENCH}/a.xml"))
    assert listing.ignored == [
        (f"Annotations/{TENCH}/a.xml", "not an image"),
        ("train/n00000001", "an empty folder"),
    ]


def test_without_a_list_classes_keep_their_ids_and_may_lie_at_the_top(tmp_path: Path) -> None:
    listing = listed(IMAGENET, make(tmp_path, *(path.removeprefix("train/") for path in TRAIN)))
    assert listing.classes == tuple(WORDS)
    assert {split for _, split in rows(listing).values()} == {None}


def test_val_in_class_folders_is_the_test_split_unless_there_is_one(tmp_path: Path) -> None:
    make(tmp_path, *TRAIN, f"val/{TENCH}/a.JPEG")
    assert rows(listed(IMAGENET, tmp_path))[f"val/{TENCH}/a.JPEG"] == (TENCH, "test")
    make(tmp_path, f"test/{TENCH}/b.JPEG")
    found = rows(listed(IMAGENET, tmp_path))
    assert found[f"val/{TENCH}/a.JPEG"] == (TENCH, "validation")
    assert found[f"test/{TENCH}/b.JPEG"] == (TENCH, "test")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOC_val_solution_dot_csv", f"ImageId,PredictionString\nV_1,{TENCH} 1 2 3 4 \nV_2,{CRANE_BIRD} 1 2 3 4\n"),
        ("val__val_annotations_dot_txt", f"V_1.JPEG\t{TENCH}\t0\t32\nV_2.JPEG\t{CRANE_BIRD}\t0\t32\n"),
        ("val_dot_txt", f"val/V_1.JPEG {TENCH}\nV_2.JPEG {CRANE_BIRD}\n"),
        ("val__ground_truth_dot_txt", f"V_1.JPEG {TENCH}\n\nV_2.JPEG {CRANE_BIRD}\n"),
    ],
)  # fmt: skip
def test_flat_val_with_a_ground_truth_list(tmp_path: Path, name: str, text: str) -> None:
    make(tmp_path, *TRAIN, *(f"val/images/V_{number}.JPEG" for number in (1, 2, 3)), **{name: text})
    listing = listed(IMAGENET, tmp_path)
    found = rows(listing)
    assert found["val/images/V_1.JPEG"] == (TENCH, "test")
    assert found["val/images/V_2.JPEG"] == (CRANE_BIRD, "test")
    list_path = name.replace("__", "/").replace("_dot_", ".")
    list_name = list_path.rpartition("/")[2]
    reasons = dict(listing.ignored)
    assert reasons["val/images/V_3.JPEG"] == f"not in {list_name}"
    assert listing.listing.inputs == [list_path]


def test_flat_val_without_a_list_and_test_images_are_ignored_by_name(tmp_path: Path) -> None:
    make(tmp_path, *TRAIN, "val/V_1.JPEG", "test/ILSVRC2012_test_1.JPEG", f"train/{TENCH}/a.xml")
    listing = listed(IMAGENET, tmp_path)
    assert [(path, reason[:45]) for path, reason in listing.ignored] == [
        ("test/ILSVRC2012_test_1.JPEG", "without a label: neither a folder nor its own"),
        (f"train/{TENCH}/a.xml", "not an image"),
        ("val/V_1.JPEG", "without a label: there is no ground-truth lis"),
    ]
    assert len(listing.images) == len(TRAIN)


def test_kaggles_folders_are_stepped_through(tmp_path: Path) -> None:
    top = "ILSVRC/Data/CLS-LOC/"
    make(tmp_path, *(top + path for path in TRAIN), f"{top}val/V_1.JPEG", f"ILSVRC/Annotations/CLS-LOC/train/{TENCH}/a.xml",
         LOC_val_solution_dot_csv=f"ImageId,PredictionString\nV_1,{TENCH} 1 2 3 4\n")  # fmt: skip
    found = rows(listed(IMAGENET, tmp_path))
    assert found[f"{top}val/V_1.JPEG"] == (TENCH, "test")
    assert len(found) == len(TRAIN) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.JPEG 65\n", r"val\.txt, line 1: 'a\.JPEG 65' has no WordNet id"),
        ("a.JPEG\n", "line 1"),
        (
            f"a.JPEG {TENCH}\nb.JPEG {TENCH}\na.JPEG {CRANE_BIRD}\n",
            f"line 3: a.JPEG is {CRANE_BIRD} here and {TENCH} before",
        ),
    ],
)
def test_lists_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        listed(IMAGENET, make(tmp_path, *TRAIN, val_dot_txt=text))


def test_folders_of_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"images of 0 classes.*set ingest\.source=folder"):
        listed(IMAGENET, make(tmp_path / "a", "cat/a.png", "dog/b.png"))
    with pytest.raises(DarkroomError, match="contains no train/ beside its val/"):
        listed(IMAGENET, make(tmp_path / "b", f"val/{TENCH}/a.png", f"val/{CRANE_BIRD}/b.png"))


def test_only_folders_in_this_layout_look_like_it(tmp_path: Path) -> None:
    assert looks_like_imagenet(make(tmp_path / "a", *TRAIN))
    assert looks_like_imagenet(make(tmp_path / "b", f"{TENCH}/a.png", f"{CRANE_BIRD}/b.png"))
    assert looks_like_imagenet(make(tmp_path / "c", "x/a.png", LOC_synset_mapping_dot_txt=""))
    assert not looks_like_imagenet(make(tmp_path / "d", "cat/a.png", f"{TENCH}/b.png"))
    assert not looks_like_imagenet(make(tmp_path / "e", "a.png"))


def test_files_named_by_their_ids(tmp_path: Path) -> None:
    archive = Path("/work/shared/data/imagenet-200.zip")
    if not archive.exists():
        pytest.skip("needs imagenet-200")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path, opened.namelist()[:5])
    listing = listed(IMAGENET, tmp_path)
    assert len(listing.images) == len(listing.classes) == 5
    assert rows(listing)["imagenet-200/n01440764_tench.JPEG"] == (TENCH, None)


def test_a_link_in_the_place_of_a_class_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    for wnid in ("n01440764", "n02012849"):
        (tmp_path / "set/train" / wnid).mkdir(parents=True)
        (tmp_path / "set/train" / wnid / "a.JPEG").touch()
    (tmp_path / "set/train/n03000000").symlink_to(tmp_path / "set/train/n01440764")
    (tmp_path / "set/train/other").symlink_to(tmp_path)
    found = dict(listed(IMAGENET, tmp_path / "set").ignored)
    assert found["train/other"] == "a link to a folder, not followed"
    assert found["train/n03000000"].startswith(
        "a link where a class folder would be, not followed: put the folder itself"
    )
