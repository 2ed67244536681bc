"""What `auto` comes to, and that what was set is left alone."""

from typing import Any

import pytest

from darkroom.training.choices import SET, make_choices
from darkroom.training.mirrored import MirroredClasses

AUTO: dict[str, Any] = {
    "network": "simple_cnn", "images": 50_000, "classes": 10, "weights": "none", "freeze": "none", "unfreeze": [],
    "batch_size": "auto", "loss": "auto",
    "optimizer": "auto", "learning_rate": "auto", "weight_decay": "auto", "flip": "auto", "albumentations": [],
    "find_mirrored": lambda: MirroredClasses(()),
}  # fmt: skip


def test_what_is_set_is_never_changed_nor_announced() -> None:
    requested = {"batch_size": 7, "loss": "focal", "optimizer": "rmsprop", "learning_rate": 0.3, "weight_decay": 0.0}
    requested |= {"flip": True}
    for network in ("simple_cnn", "vit_b_16", "small_image_net"):
        choices = make_choices(**AUTO | requested | {"network": network, "images": 10})
        assert {name: choice.value for name, choice in vars(choices).items()} == requested
        assert {choice.reason for choice in vars(choices).values()} == {SET}
        assert choices.lines() == []


@pytest.mark.parametrize(
    ("changed", "optimizer", "loss"),
    [
        ({}, "sgd", "cross_entropy"),
        ({"network": "timm/vit_tiny_patch16_224"}, "adamw", "cross_entropy"),
        ({"network": "small_image_net"}, "muon", "cross_entropy"),
        ({"network": "capsule_net"}, "adam", "margin"),
        ({"network": "resnet18", "weights": "imagenet"}, "adamw", "cross_entropy"),
    ],
)
def test_the_network_decides(changed: dict[str, Any], optimizer: str, loss: str) -> None:
    choices = make_choices(**AUTO | changed)
    assert (choices.optimizer.value, choices.loss.value) == (optimizer, loss)
    assert len(choices.lines()) == 6 and all(choice.reason for choice in vars(choices).values())


@pytest.mark.parametrize(("images", "batch"), [(50_000, 256), (5_120, 256), (5_119, 128), (600, 16), (40, 16)])
def test_few_images_make_small_batches(images: int, batch: int) -> None:
    assert make_choices(**AUTO | {"images": images}).batch_size.value == batch


def test_a_larger_batch_learns_at_a_higher_rate() -> None:
    rates = [make_choices(**AUTO | {"batch_size": size}).learning_rate.value for size in (32, 128, 512)]
    assert rates == pytest.approx([0.025, 0.1, 0.4])


def test_networks_without_normalisation_start_at_a_tenth_of_the_rate() -> None:
    plain, normalised = (
        make_choices(**AUTO | {"network": network}).learning_rate.value for network in ("vgg16", "vgg16_bn")
    )
    assert plain == pytest.approx(normalised / 10)


ARROWS = MirroredClasses((("left", "right", 198, 200, 2),))
TEXT = (
    "left and right are mirror images of each other (of 400 images 198 are nearest to a mirrored one of the other class, "
    "200 to one of their own)"
)
MIRRORING: list[dict[str, Any]] = [{"name": "HorizontalFlip", "p": 0.5}]


@pytest.mark.parametrize(
    ("requested", "transforms", "value", "reason"),
    [
        ("auto", [], False, TEXT),
        (True, [], True, f"warning: {TEXT}: the network can't tell them apart, so set train.flip=auto or false"),
        (False, [], False, SET),
        (
            "auto",
            MIRRORING,
            False,
            f"warning: a transform of train.albumentations mirrors, and {TEXT}: the network can't tell them apart, so take "
            "it out",
        ),
    ],
)
def test_classes_that_a_mirror_exchanges_are_not_flipped_unless_it_is_set_and_then_with_a_warning(
    requested: bool | str, transforms: list[dict[str, Any]], value: bool, reason: str
) -> None:
    changed = {"flip": requested, "albumentations": transforms, "find_mirrored": lambda: ARROWS}
    flip = make_choices(**AUTO | changed).flip
    assert (flip.value, flip.reason) == (value, reason)


@pytest.mark.parametrize("requested", ["auto", True, False])
def test_other_classes_are_flipped_unless_it_is_off(requested: bool | str) -> None:
    assert make_choices(**AUTO | {"flip": requested}).flip.value is (requested is not False)
