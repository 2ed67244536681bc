"""Decoding: every format and mode that cameras and tools write, and every way in which a file can be broken."""

import io
import struct

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from darkroom.images import pillow_decoder
from darkroom.images.decode import Decoded, UnreadableImage, decode
from tests.support.pictures import colour, encoded, mutated, png, seeds, smooth, turned

DECODERS = ("turbo", "opencv", "pillow")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def by_all(data: bytes) -> Decoded:
    """What the default decoder makes of a sound file; the others must say the same."""
    first, *others = [decode(data, decoder) for decoder in DECODERS]
    for other in others:
        assert (other.pixels == first.pixels).all()
        for name in ("width", "height", "mode", "format", "frames"):
            assert getattr(other, name) == getattr(first, name)
    assert first.pixels.shape[:2] == (first.height, first.width) and first.pixels.dtype == np.uint8
    return first


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_formats(file_format: str) -> None:
    decoded = by_all(encoded(smooth(), file_format))
    assert (decoded.width, decoded.height, decoded.format, decoded.frames) == (40, 24, file_format, 1)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(smooth())).max() < 40


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 20}, {"keep_rgb": True}]
)
def test_jpeg_is_the_same_from_all_decoders(mode: str, options: dict[str, object]) -> None:
    decoded = by_all(encoded(colour(33, 47).convert(mode), "JPEG", **options))
    assert (decoded.mode, decoded.pixels.shape[2]) == (mode, len(mode))


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("P", 3), ("RGBA", 3), ("I;16", 1)]
)
def test_png_modes(mode: str, channels: int) -> None:
    picture = Image.new("I;16", (4, 4), 65535) if mode == "I;16" else Image.new("RGB", (4, 4), "white").convert(mode)
    decoded = by_all(encoded(picture, "PNG"))
    assert (decoded.mode, decoded.pixels.shape[2], decoded.pixels.min()) == (mode, channels, 255)


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_heic_and_avif(file_format: str) -> None:
    pillow_heif.register_heif_opener()
    data = encoded(smooth(64, 48), file_format, quality=95)
    decoded = by_all(data)
    assert (decoded.width, decoded.height, decoded.mode, decoded.format, decoded.frames) == (
        64,
        48,
        "RGB",
        file_format,
        1,
    )
    assert np.abs(decoded.pixels.astype(int) - np.asarray(smooth(64, 48))).mean() < 3
    for damaged in (data[:-60], data[:100], data[:200] + bytes(60) + data[260:]):
        for decoder in DECODERS:
            with pytest.raises(UnreadableImage):
                decode(damaged, decoder)


def test_cmyk_jpeg() -> None:
    decoded = by_all(encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "JPEG"))
    assert decoded.mode == "CMYK" and decoded.pixels.shape == (4, 4, 3) and decoded.pixels.min() > 250


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_with_and_without_loss_and_transparency(lossless: bool) -> None:
    opaque = by_all(encoded(smooth(), "WEBP", lossless=lossless))
    assert (opaque.pixels == np.asarray(smooth())).all() == lossless
    clear = by_all(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "WEBP", lossless=lossless))
    assert clear.mode == "RGBA" and clear.pixels.min() == 255


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_rounded(file_format: str) -> None:
    values = np.array([[0, 128, 129, 256, 32768, 65535]], dtype=np.uint16)
    decoded = by_all(encoded(Image.fromarray(values), file_format))
    assert decoded.pixels[..., 0].tolist() == [[0, 0, 1, 1, 128, 255]]


def test_sixteen_bit_colour_is_scaled_and_rounded() -> None:
    values = np.random.default_rng(0).integers(0, 65536, (5, 6, 4)).astype(">u2")
    plain = by_all(png(6, 5, 16, 2, values[..., :3].tobytes()))
    assert (plain.pixels == np.rint(values[..., :3] / 257)).all()
    values[..., 3] = 65535
    assert (by_all(png(6, 5, 16, 6, values.tobytes())).pixels == plain.pixels).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("grey", [False, True])
def test_a_large_picture_is_the_same_by_bands(mode: str, grey: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 17, 4), dtype=np.uint8))
    picture = layers.convert(mode) if "A" in mode else layers.convert("RGB").convert(mode)
    if mode in ("1", "L", "P"):
        picture.info["transparency"] = 0
    data = encoded(picture, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    whole = decode(data, "pillow", grey=grey)
    for pixels in (1, 40, 17 * 22):
        monkeypatch.setattr(pillow_decoder, "BAND", pixels)
        np.testing.assert_array_equal(decode(data, "pillow", grey=grey).pixels, whole.pixels)


def test_transparency_is_laid_over_white() -> None:
    assert by_all(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG")).pixels.min() == 255
    half = by_all(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), "PNG"))
    assert half.pixels[0, 0].tolist() == [127, 127, 127]
    assert by_all(encoded(Image.new("LA", (2, 2), (0, 0)), "PNG")).pixels.tolist() == [[[255]] * 2] * 2


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (encoded(Image.new("L", (2, 1), 5), "PNG", transparency=5), [255, 255]),
        (encoded(Image.new("L", (2, 1), 5), "PNG", transparency=6), [5, 5]),
        (encoded(Image.new("1", (2, 1), 0), "PNG", transparency=0), [255, 255]),
        (png(2, 1, 16, 0, b"\x12\x34\x12\x35", tRNS=b"\x12\x34"), [255, 18]),
    ],
)
def test_a_grey_value_that_stands_for_nothing_is_white(data: bytes, values: list[int]) -> None:
    assert by_all(data).pixels.ravel().tolist() == values


def test_a_colour_or_a_palette_entry_that_stands_for_nothing_is_white() -> None:
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    assert by_all(encoded(picture, "PNG", transparency=(1, 2, 3))).pixels.min() == 255
    palette = picture.quantize(2)
    assert by_all(encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))).pixels.min() == 255


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(0, 10))
def test_pictures_are_turned_upright(file_format: str, orientation: int) -> None:
    data = encoded(colour(20, 10), file_format, exif=turned(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    decoded = by_all(data)
    assert (decoded.width, decoded.height) == upright.size
    assert (decoded.pixels == np.asarray(upright)).all()
    small = decode(data, least_side=2)
    assert (small.width, small.height) == upright.size
    assert (small.pixels.shape[0] > small.pixels.shape[1]) == (upright.height > upright.width)


def test_an_orientation_is_found_in_xmp_and_behind_large_blocks() -> None:
    assert by_all(encoded(colour(20, 10), "JPEG", xmp=XMP)).width == 10
    data = encoded(colour(20, 10), "JPEG", exif=turned(6))
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)
    assert by_all(data[:2] + 2 * comment + data[2:]).width == 10


def test_of_several_frames_the_first_counts_and_their_number_is_told() -> None:
    first, second = smooth(), smooth().rotate(180)
    for file_format, options in [("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("PNG", {})]:
        decoded = by_all(encoded(first, file_format, save_all=True, append_images=[second, first], **options))
        assert decoded.frames == 3
        assert np.abs(decoded.pixels.astype(int) - np.asarray(first)).mean() < 10
    # The second picture of a camera's file is a preview.
    decoded = by_all(encoded(first, "MPO", save_all=True, append_images=[second]))
    assert (decoded.format, decoded.frames) == ("JPEG", 1)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("width", "height"), [(300, 200), (33, 999), (129, 128), (7, 9)])
def test_a_reduced_jpeg_keeps_the_side_that_was_asked_for(decoder: str, width: int, height: int) -> None:
    data = encoded(smooth(width, height), "JPEG")
    for side in (1, 8, 25, 64, 128, 400):
        for grey in (False, True):
            decoded = decode(data, decoder, side, grey)
            assert (decoded.width, decoded.height) == (width, height)
            assert min(decoded.pixels.shape[:2]) >= min(side, width, height)
            assert decoded.pixels.shape[2] == (1 if grey else 3)
    assert min(decode(data, decoder, 8).pixels.shape[:2]) <= max(16, min(width, height) // 8 + 1)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_grey_is_luma(file_format: str) -> None:
    data = encoded(smooth(), file_format)
    luma = np.asarray(Image.fromarray(decode(data).pixels).convert("L")).astype(int)
    for decoder in DECODERS:
        decoded = decode(data, decoder, grey=True)
        assert decoded.mode == Image.open(io.BytesIO(data)).mode
        assert np.abs(decoded.pixels[..., 0] - luma).max() <= 1


def test_broken_files_say_why() -> None:
    whole = encoded(colour(200, 100), "JPEG")
    for data, reason in [
        (b"", "the file is empty"),
        (b"not an image at all", "not an image in a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image in a known format"),
        (whole[: len(whole) // 2], "damaged"),
        (encoded(colour(), "PNG")[:-30], "damaged"),
        (encoded(colour(), "WEBP")[:-30], "damaged"),
        (encoded(colour(), "GIF")[:-30], "damaged"),
        (encoded(colour(), "BMP")[:-30], "damaged"),
    ]:
        for decoder in DECODERS:
            with pytest.raises(UnreadableImage, match=reason):
                decode(data, decoder)


def test_bytes_after_a_jpeg_are_no_damage() -> None:
    whole = encoded(colour(), "JPEG")
    assert (by_all(whole + bytes(1000)).pixels == by_all(whole + b"a comment").pixels).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_damage_within_a_jpeg_is_found_by_all(decoder: str) -> None:
    for options, damage in (({"restart_marker_rows": 1}, "damaged: Corrupt JPEG data"), ({}, None)):
        content = bytearray(encoded(colour(200, 100), "JPEG", **options))
        middle = len(content) // 2
        content[middle : middle + 20] = bytes(20)
        for least_side, grey in ((None, False), (8, True)):
            if damage:
                with pytest.raises(UnreadableImage, match=damage):
                    decode(bytes(content), decoder, least_side, grey)
            else:
                # Nothing tells this from a whole picture with bytes too many, so it is taken, and listed.
                assert decode(bytes(content), decoder, least_side, grey).remark is not None


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("raised", [struct.error("x"), SystemError("y"), MemoryError(), RuntimeError("AVIF: no")])
@pytest.mark.parametrize("file_format", ["WEBP", "BMP"])
def test_whatever_a_library_raises_over_an_image_is_its_reason(
    decoder: str, raised: Exception, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    data = encoded(colour(), file_format)
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(UnreadableImage) as caught:
        decode(data, decoder)
    reasons = {
        "error": "damaged: its parts do not fit together",
        "SystemError": "damaged: its parts do not fit together",
        "MemoryError": "it needs more memory than there is",
        "RuntimeError": "damaged: AVIF: no",
    }
    assert str(caught.value) == reasons[type(raised).__name__]


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_bomb_is_refused_before_it_unfolds(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableImage, match=r"^more than 178,956,970 pixels$"):
        decode(png(100_000, 100_000, 8, 2, b"\0" * 100_000), decoder)
    with pytest.raises(UnreadableImage, match=r"2000000 x 1 pixels, more than 1,048,576 on one side"):
        decode(encoded(Image.new("L", (2_000_000, 1)), "PNG"), decoder)
    monkeypatch.setattr(pillow_decoder, "MAX_PIXELS", 100)
    for file_format in ("PNG", "JPEG", "TIFF"):
        with pytest.raises(UnreadableImage, match=r"20 x 10 pixels, more than 100"):
            decode(encoded(colour(), file_format), decoder)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=300)
@given(st.integers(0, 1 << 32), st.sampled_from(DECODERS), st.sampled_from([None, 4]), st.booleans())
def test_damage_never_crashes(seed: int, decoder: str, least_side: int | None, grey: bool) -> None:
    data = mutated(seed, SEEDS)
    try:
        decoded = decode(data, decoder, least_side, grey)
    except UnreadableImage as error:
        assert str(error).isprintable() and " object at 0x" not in str(error)
    else:
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.ndim == 3 and decoded.pixels.shape[2] in (1, 3) and min(decoded.pixels.shape) > 0


SEEDS = seeds()
