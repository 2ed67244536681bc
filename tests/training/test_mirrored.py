"""Which classes are mirror images of each other."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

from darkroom.runtime.arrays import UInt8s
from darkroom.training.mirrored import MirroredClasses, find_mirrored, mirrors


def arrows(count: int) -> UInt8s:
    """Arrows to the left at random places, on noise, uint8 [n, 28, 28, 1]."""
    random, found = np.random.default_rng(0), []
    for _ in range(count):
        picture = Image.fromarray(random.integers(0, 90, (28, 28)).astype(np.uint8))
        length, down = int(random.integers(10, 16)), int(random.integers(8, 20))
        left = int(random.integers(3, 25 - length))
        for end in ((left + length, down), (left + 5, down - 5), (left + 5, down + 5)):
            ImageDraw.Draw(picture).line((left, down, *end), fill=255, width=2)
        found.append(np.array(picture, np.uint8)[:, :, None])
    return np.stack(found)


@pytest.mark.parametrize("channels", [1, 3])
def test_arrows_to_the_left_and_to_the_right_are_found(channels: int) -> None:
    images, labels = arrows(120).repeat(channels, 3), np.arange(120) % 2
    images[labels == 1] = images[labels == 1, :, ::-1]
    ((one, other, mirrored, own, rest),) = find_mirrored(images, labels, ("left", "right", "absent")).pairs
    assert (one, other, mirrored + own + rest) == ("left", "right", 120)
    assert 40 < mirrored < 80 and 40 < own < 80 and rest < 4
    up_and_down = images.transpose(0, 2, 1, 3)
    assert find_mirrored(up_and_down, labels, ("up", "down")).pairs == (), "from left to right they stay what they are"


def test_handwritten_digits_and_classes_at_random_are_not() -> None:
    digits, labels = load_digits(return_X_y=True)
    images = np.round(digits.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)[:900]
    names = tuple(str(digit) for digit in range(10))
    assert find_mirrored(images, labels[:900], names).pairs == ()
    assert find_mirrored(images, np.arange(900) % 2, ("even", "odd")).pairs == ()


def test_two_images_are_too_few() -> None:
    assert find_mirrored(arrows(2), np.array([0, 1]), ("left", "right")).pairs == ()


def test_more_pairs_than_a_line_lists() -> None:
    pairs = tuple((f"{number}l", f"{number}r", 20, 19, 1) for number in range(5))
    text = MirroredClasses(pairs).text
    assert text.startswith("0l and 0r are mirror images of each other (of 40 images 20 are nearest to a mirrored one")
    assert text.endswith("; and 2 more pairs")


def test_transforms_that_mirror() -> None:
    assert mirrors([{"name": "GaussianBlur"}, {"name": "HorizontalFlip", "p": 0.5}])
    assert not mirrors([{"name": "VerticalFlip"}]) and not mirrors([])
