"""Fingerprints tell what they claim to: near pictures are near, blurred ones less sharp, dark ones darker."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from darkroom.images.measure import Fingerprint, fingerprint, inspect_image
from darkroom.sources.source import SourceImage
from tests.support.pictures import colour


def test_a_file_that_fills_the_memory_while_it_is_read_is_a_reject() -> None:
    def read(image: SourceImage) -> bytes:
        raise MemoryError

    found = inspect_image(SourceImage("a/x.png", "a", None, "a/x.png"), read, "turbo", {})
    assert found.facts == {"sha256": None, "bytes": 0, "reason": "it needs more memory than there is"}


def measured(picture: Image.Image) -> Fingerprint:
    return fingerprint(np.asarray(picture.convert("L"))[:, :, None])


def apart(one: Image.Image, two: Image.Image) -> float:
    """How many grey levels the thumbnails of two pictures lie apart, on average."""
    return float(np.abs(measured(one).thumbnail.astype(int) - measured(two).thumbnail).mean())


def test_near_pictures_have_near_thumbnails() -> None:
    picture = colour(9, 8).resize((90, 80), Image.Resampling.BICUBIC)
    other = colour(9, 8, seed=1).resize((90, 80))
    assert apart(picture, picture) == 0
    assert apart(picture, picture.resize((60, 53))) < 4 < 20 < apart(picture, other)


def test_brightness_contrast_and_sharpness() -> None:
    picture = colour(40, 40)
    blurred = picture.filter(ImageFilter.GaussianBlur(3))
    white, black = measured(Image.new("L", (5, 5), 255)), measured(Image.new("RGB", (5, 5), 0))
    assert (white.brightness, white.contrast, black.brightness) == (1, 0, 0)
    halves = Image.fromarray(np.repeat([[0, 255]], 10, axis=0).repeat(5, axis=1).astype(np.uint8))
    assert measured(halves).contrast == pytest.approx(0.5)
    assert measured(blurred).sharpness < measured(picture).sharpness / 10
    assert measured(blurred).contrast < measured(picture).contrast
    assert measured(Image.new("L", (1, 1), 9)).sharpness == 0


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    grey = np.asarray(colour(20, 30).convert("L")).astype(int)
    middle = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    assert measured(colour(20, 30).convert("L")).sharpness == pytest.approx(middle.var())


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5000, 1), (2, 2), (128, 129), (40_000, 130)])
def test_any_shape(width: int, height: int) -> None:
    found = fingerprint(np.full((height, width, 1), 51, np.uint8))
    assert found.thumbnail.shape == (32, 32) and found.thumbnail.min() == found.thumbnail.max() == 51
    assert found.brightness == pytest.approx(0.2) and found.sharpness == 0


def test_a_large_picture_measures_as_its_reduction() -> None:
    small = colour(128, 128).filter(ImageFilter.GaussianBlur(1))
    large = small.resize((512, 512), Image.Resampling.NEAREST)
    assert measured(large).sharpness == pytest.approx(measured(small).sharpness)
