"""Decoding: every format and mode that cameras and tools write, and every way in which a file can be broken."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from darkroom.images import decode as decoding
from darkroom.images.decode import UnreadableImage, decode


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def colour(width: int = 20, height: int = 10) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_formats(file_format: str) -> None:
    decoded = decode(encoded(colour(), file_format))
    assert (decoded.width, decoded.height, decoded.format) == (20, 10, file_format)
    assert decoded.picture.mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "becomes"), [("L", "L"), ("1", "L"), ("LA", "L"), ("P", "RGB"), ("RGBA", "RGB"), ("I;16", "L")]
)
def test_modes(mode: str, becomes: str) -> None:
    picture = Image.new("I;16", (4, 4), 65535) if mode == "I;16" else Image.new("RGB", (4, 4), "white").convert(mode)
    decoded = decode(encoded(picture, "PNG"))
    assert (decoded.mode, decoded.picture.mode) == (mode, becomes)
    assert np.asarray(decoded.picture).min() == 255


def test_cmyk_jpeg() -> None:
    decoded = decode(encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "JPEG"))
    assert decoded.picture.mode == "RGB"
    assert np.asarray(decoded.picture).min() > 250


def test_sixteen_bits_keep_their_upper_eight() -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    decoded = decode(encoded(Image.fromarray(values), "PNG"))
    assert np.asarray(decoded.picture).tolist() == [[0, 0, 1, 128, 255]]


def test_transparency_is_laid_over_white() -> None:
    decoded = decode(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG"))
    assert np.asarray(decoded.picture).min() == 255
    half = decode(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), "PNG"))
    assert np.asarray(half.picture)[0, 0].tolist() == [127, 127, 127]


def test_pictures_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode(encoded(colour(20, 10), "JPEG", exif=exif))
    assert (decoded.width, decoded.height) == (10, 20)


def test_broken_files_say_why() -> None:
    whole = encoded(colour(200, 100), "JPEG")
    for data, reason in [
        (b"", "the file is empty"),
        (b"not an image at all", "not an image in a known format"),
        (whole[: len(whole) // 2], "damaged"),
        (encoded(colour(), "PNG")[:-30], "damaged"),
    ]:
        with pytest.raises(UnreadableImage, match=reason):
            decode(data)


def test_a_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100)
    with pytest.raises(UnreadableImage, match="20 x 10 pixels, more than 100"):
        decode(encoded(colour(), "PNG"))


@settings(max_examples=300)
@given(st.data())
def test_damage_never_crashes(data: st.DataObject) -> None:
    file_format = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]))
    content = bytearray(encoded(colour(), file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(content)).picture.mode in ("L", "RGB")
    except UnreadableImage as error:
        assert str(error)
