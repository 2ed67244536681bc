import base64
import io

import numpy as np
import pytest
from PIL import Image

from darkroom.drawing.thumbnails import image_data_uri, is_small


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_keep_every_pixel(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 20, channels), dtype=np.uint8)
    uri = image_data_uri(pixels)
    assert uri.startswith("data:image/png;base64,") and is_small(pixels)
    assert np.array_equal(np.asarray(opened(uri)).reshape(pixels.shape), pixels)
    assert image_data_uri(pixels.copy()) == uri


@pytest.mark.parametrize("channels", [1, 3])
def test_photographs_are_reduced_and_look_the_same(channels: int) -> None:
    ramp = np.linspace(0, 255, 600, dtype=np.uint8)
    pixels = np.tile(ramp[None, :, None], (300, 1, channels))
    uri = image_data_uri(pixels)
    assert uri.startswith("data:image/jpeg;base64,") and not is_small(pixels)
    picture = opened(uri)
    assert picture.size == (256, 128)
    assert np.asarray(picture.convert("L")).mean() == pytest.approx(pixels.mean(), abs=2)
