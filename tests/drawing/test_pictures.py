import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from darkroom.drawing.pictures import heatmap_data_uri, image_data_uri, is_small, legend, overlay


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


@pytest.mark.parametrize(("side", "shown"), [(8, 112), (28, 112), (64, 128), (112, 112), (200, 200), (500, 224)])
@pytest.mark.parametrize("channels", [1, 3])
def test_cold_places_are_the_picture_and_hot_ones_are_in_colour(side: int, shown: int, channels: int) -> None:
    image = np.full((side, side, channels), 128, np.uint8)
    heat = np.zeros((side, side), np.float32)
    heat[:, side // 2 :] = 1
    picture = overlay(image, heat).astype(int)
    assert picture.shape == (shown, shown, 3)
    cold, hot = picture[:, : shown // 4], picture[:, -shown // 4 :]
    assert np.ptp(cold, axis=2).max() == 0, "grey stays grey"
    assert hot[..., 0].min() > hot[..., 2].max() + 50, "the hottest colour is yellow"
    assert hot.mean() > cold.mean() + 30


def test_equal_maps_give_equal_small_pictures() -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    heat = generator.random((7, 7), np.float32).repeat(32, 0).repeat(32, 1)
    uri = heatmap_data_uri(image, heat)
    assert uri == heatmap_data_uri(image.copy(), heat.copy())
    kind, data = uri.split(",", 1)
    assert kind == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (224, 224)
    small = heatmap_data_uri(np.zeros((28, 28, 1), np.uint8), np.eye(28, dtype=np.float32))
    assert len(small) < 4_000


def test_the_legend_gets_lighter_from_grey_to_yellow() -> None:
    colours = [bytes.fromhex(colour) for colour in re.findall(r"#([0-9a-f]{6})", legend())]
    assert len(colours) >= 5
    assert len(set(colours[0])) == 1
    red, _, blue = colours[-1]
    assert red > 200 and blue < red - 50
