"""What people write for splits, for images and for masks."""

import pytest

from darkroom.sources.split_names import is_for_images, is_for_masks, parse_split, split_of

NAMES = {
    "train": "train training Training TRAIN train_set training_set Training-Set trainset TrainSet seg_train train_images "
    "trainImages images_train Train_Data train2017 train.set",
    "validation": "dev val Val valid validation eval evaluation ValData dev-set val2017 validation_images",
    "test": "test testing test_set testset seg_test Test_Data test_images test1 holdout Hold_Out hold-out",
}


@pytest.mark.parametrize("name", ["train set", *NAMES["train"].split()])
def test_names_for_training(name: str) -> None:
    assert split_of(name) == "train"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_names_for_the_others(split: str) -> None:
    assert {name: split_of(name) for name in NAMES[split].split()} == dict.fromkeys(NAMES[split].split(), split)


def test_names_that_only_begin_so() -> None:
    names = ["contest", "valley", "Devon", "trained", "testament", "test_tube", "train_station", "cat", "1"]
    assert [name for name in names if split_of(name)] == []
    assert parse_split("asl_alphabet_train") == ("train", ("asl", "alphabet"))
    assert parse_split("train_test") is None


def test_names_for_images_and_masks() -> None:
    assert all(map(is_for_images, ("images", "Image_Data", "imgs", "photos")))
    assert all(map(is_for_masks, ("masks", "binary_masks", "ground_truth", "GroundTruth", "mask_images")))
    assert not any(map(is_for_masks, ("with_mask", "images", "labels", "data")))
