"""The one rule from picture to array: each way of making it square, and no aliasing."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.images.pixels import OVERSAMPLING, read_pixels, to_pixels
from darkroom.runtime.arrays import UInt8s
from tests.support.pictures import colour, encoded, smooth


def array(picture: Image.Image) -> UInt8s:
    values = np.asarray(picture)
    return values if values.ndim == 3 else values[:, :, None]


@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(8, 40), st.sampled_from([1, 3]),
    st.sampled_from(["crop", "pad", "stretch"]), st.sampled_from(["L", "RGB"]),
)  # fmt: skip
def test_shape_and_type_whatever_comes_in(
    width: int, height: int, size: int, channels: int, resize: str, mode: str
) -> None:
    pixels = to_pixels(array(Image.new(mode, (width, height), "white")), size, channels, resize)
    assert pixels.shape == (size, size, channels)
    assert pixels.dtype == np.uint8
    assert pixels.max() == 255


def test_a_picture_too_narrow_for_its_square_is_not_lost() -> None:
    assert to_pixels(array(Image.new("L", (1, 16), 255)), 8, 1, "pad").max() == 255


def test_the_three_rules_differ_as_they_say() -> None:
    wide = Image.new("L", (20, 10), 0)
    wide.paste(255, (5, 0, 15, 10))
    assert to_pixels(array(wide), 10, 1, "crop").min() == 255
    assert to_pixels(array(wide), 10, 1, "stretch")[5, :, 0].tolist()[0] == 0
    padded = to_pixels(array(Image.new("L", (20, 10), 255)), 10, 1, "pad")
    assert padded[0].max() == 0 and padded[5].min() == 255


def test_reduction_averages() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    small = to_pixels(board.astype(np.uint8)[:, :, None], 8, 1, "stretch")
    assert np.abs(small.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_right_size_is_not_touched(mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(values).convert(mode)
    pixels = to_pixels(array(picture), 16, 1 if mode == "L" else 3, "crop")
    assert (pixels.squeeze() == np.asarray(picture)).all()


@pytest.mark.parametrize("decoder", ["turbo", "opencv", "pillow"])
@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_a_jpeg_that_was_reduced_while_decoding_is_nearly_the_same(decoder: str, resize: str) -> None:
    data = encoded(smooth(600, 400), "JPEG", quality=95)
    whole = np.asarray(Image.open(io.BytesIO(data)))
    for channels in (1, 3):
        quick = read_pixels(data, 20, channels, resize, decoder).astype(int)
        assert np.abs(quick - to_pixels(whole, 20, channels, resize)).max() <= 3


@pytest.mark.parametrize("decoder", ["turbo", "opencv", "pillow"])
def test_small_files_come_out_as_they_are(decoder: str) -> None:
    side = 8 * OVERSAMPLING
    data = encoded(colour(side, side), "PNG")
    assert (read_pixels(data, side, 3, "crop", decoder) == np.asarray(colour(side, side))).all()
