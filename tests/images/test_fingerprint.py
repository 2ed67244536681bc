"""Fingerprints tell what they claim to: near pictures are near, blurred ones less sharp, dark ones darker."""

import numpy as np
from PIL import Image, ImageFilter

from darkroom.images.fingerprint import fingerprint
from tests.images.test_decode import colour


def bits(one: Image.Image, two: Image.Image) -> int:
    """In how many bits the hashes of two pictures differ."""
    return (fingerprint(one).dhash ^ fingerprint(two).dhash).bit_count()


def test_near_pictures_have_near_hashes() -> None:
    picture = colour(9, 8).resize((90, 80), Image.Resampling.BICUBIC)
    other = Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 9, 3), dtype=np.uint8)).resize((90, 80))
    small = picture.resize((60, 53))
    assert bits(picture, picture) == 0
    assert bits(picture, small) <= 6 < 15 < bits(picture, other)


def test_brightness_and_sharpness() -> None:
    picture = colour(40, 40)
    blurred = picture.filter(ImageFilter.GaussianBlur(3))
    assert fingerprint(Image.new("L", (5, 5), 255)).brightness == 1
    assert fingerprint(Image.new("RGB", (5, 5), 0)).brightness == 0
    assert fingerprint(blurred).sharpness < fingerprint(picture).sharpness / 10
    assert fingerprint(Image.new("L", (1, 1), 9)).sharpness == 0
