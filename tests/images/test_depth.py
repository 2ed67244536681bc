"""Files that hold other than 8 bits a value: what was written comes out, from every kind of file and by every decoder."""

from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from darkroom.images.decode import UnreadableImage, decode, open_samples
from darkroom.images.samples import make_samples
from darkroom.model.depth import Depth
from tests.support.pictures import encoded, png, tiff, turned

DECODERS = ("turbo", "opencv", "pillow")
GREY = np.linspace(0, 1, 48)[None].repeat(32, 0)
COLOUR = np.stack([GREY, GREY[::-1, ::-1], GREY * GREY], axis=2)


def deep_png(values: npt.NDArray[Any]) -> bytes:
    return bytes(imagecodecs.png_encode(values))


def jpeg2000(values: npt.NDArray[Any], bits: int = 16) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(values, bitspersample=bits, level=0))


def ppm(values: npt.NDArray[Any], most: int) -> bytes:
    head = f"P{6 if values.ndim == 3 else 5}\n# a comment\n{values.shape[1]} {values.shape[0]}\n{most}\n".encode()
    return head + (values * most).round().astype(">u2").tobytes()


def pfm(values: npt.NDArray[Any], order: str) -> bytes:
    head = (
        f"P{'F' if values.ndim == 3 else 'f'}\n{values.shape[1]} {values.shape[0]}\n{'-' if order == '<' else ''}1.0\n"
    )
    return head.encode() + values[::-1].astype(f"{order}f4").tobytes()


def scaled(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Values of 0 to 1 on the full scale of a whole number."""
    ends = np.iinfo(kind)
    return np.round(values * (float(ends.max) - ends.min) + ends.min).clip(ends.min, ends.max).astype(kind)


FULL = {
    **{f"grey {kind}": (tiff(scaled(GREY, kind)), GREY) for kind in ("u2", "u4", "i1", "i2", "i4")},
    **{f"colour {kind}": (tiff(scaled(COLOUR, kind), photometric="rgb"), COLOUR) for kind in ("u2", "u4", "i1", "i2")},
    **{f"grey {kind}": (tiff(GREY.astype(kind)), GREY) for kind in ("f2", "f4", "f8")},
    **{f"colour {kind}": (tiff(COLOUR.astype(kind), photometric="rgb"), COLOUR) for kind in ("f2", "f4", "f8")},
    "packed 12": (tiff((GREY * 4095).astype("u2"), bitspersample=12), GREY),
    "packed 10": (tiff((GREY * 1023).astype("u2"), bitspersample=10), GREY),
    "white is zero 16": (tiff(scaled(1 - GREY, "u2"), photometric="miniswhite"), GREY),
    "white is zero float": (tiff((1 - GREY).astype("f4"), photometric="miniswhite"), GREY),
    "white is zero 8": (tiff(scaled(1 - GREY, "u1"), photometric="miniswhite"), GREY),
    "white is zero 1": (tiff(GREY < 0.5, photometric="miniswhite"), (GREY >= 0.5).astype(float)),
    "planes apart 16": (
        tiff(np.moveaxis(scaled(COLOUR, "u2"), 2, 0), photometric="rgb", planarconfig="separate"),
        COLOUR,
    ),
    "planes apart float": (
        tiff(np.moveaxis(COLOUR.astype("f4"), 2, 0), photometric="rgb", planarconfig="separate"),
        COLOUR,
    ),
    "planes apart 8": (
        tiff(np.moveaxis(scaled(COLOUR, "u1"), 2, 0), photometric="rgb", planarconfig="separate"),
        COLOUR,
    ),
    "packed by zlib in tiles": (tiff(scaled(GREY, "u2"), compression="zlib", predictor=True, tile=(16, 16)), GREY),
    "packed by lzw": (tiff(scaled(COLOUR, "u2"), compression="lzw", photometric="rgb"), COLOUR),
    "big": (tiff(scaled(GREY, "u2"), bigtiff=True), GREY),
    "big-endian": (tiff(scaled(GREY, "u2"), byteorder=">"), GREY),
    "declared 0 to 4095": (
        tiff((GREY * 4095).astype("u2"), extratags=[(281, "H", 1, 4095, True)]),
        GREY,
    ),
    "PNG grey": (deep_png(scaled(GREY, "u2")), GREY),
    "PNG colour": (deep_png(scaled(COLOUR, "u2")), COLOUR),
    "PNG of 12 bits": (png(48, 32, 16, 0, (GREY * 4095).astype(">u2").tobytes(), sBIT=b"\x0c"), GREY),
    "PNG of 12 bits, shifted": (
        png(48, 32, 16, 0, ((GREY * 4095).astype("u2") << 4).astype(">u2").tobytes(), sBIT=b"\x0c"),
        GREY,
    ),
    "PGM of 4095": (ppm(GREY, 4095), GREY),
    "PPM of 65535": (ppm(COLOUR, 65535), COLOUR),
    "PFM": (pfm(GREY, "<"), GREY),
    "PFM, big-endian": (pfm(GREY, ">"), GREY),
    "PFM in colour": (pfm(COLOUR, "<"), COLOUR),
    "JPEG 2000 of 12 bits": (jpeg2000((GREY * 4095).astype("u2"), 12), GREY),
    "JPEG 2000 in colour": (jpeg2000(scaled(COLOUR, "u2")), COLOUR),
}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", FULL)
def test_full_scales_come_out_as_written(name: str, decoder: str) -> None:
    data, expected = FULL[name]
    decoded = decode(data, decoder)
    assert decoded.pixels.shape == (32, 48, expected.size // (32 * 48))
    assert np.abs(decoded.pixels.reshape(expected.shape) - expected * 255).max() <= 1
    grey = decode(data, decoder, grey=True).pixels[..., 0]
    luma = expected if expected.ndim == 2 else expected @ [0.299, 0.587, 0.114]
    assert np.abs(grey - luma * 255).max() <= 1.5


@pytest.mark.parametrize(
    ("values", "kind", "mode"),
    [
        (scaled(GREY, "u2"), "uint16", "I;16"),
        (scaled(GREY, "i2"), "int16", "I;16S"),
        (scaled(COLOUR, "u2"), "uint16", "RGB;16"),
        (GREY.astype("f8"), "float", "F"),
        (COLOUR.astype("f2"), "float", "RGB;F"),
    ],
)
def test_kinds_and_modes(values: npt.NDArray[Any], kind: str, mode: str) -> None:
    samples = open_samples(tiff(values, photometric="rgb" if values.ndim == 3 else "minisblack"))
    assert samples is not None
    assert (samples.kind, samples.mode, samples.format) == (kind, mode, "TIFF")
    assert samples.range == (float(values.min()), float(values.max()))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP", "PPM", "JPEG2000"])
def test_files_of_eight_bits_have_no_samples(file_format: str) -> None:
    assert open_samples(encoded(Image.new("RGB", (40, 24), "red"), file_format)) is None


def test_transparency_is_laid_over_white() -> None:
    opaque = np.full((2, 2, 1), 65535, np.uint16)
    half = np.concatenate([np.zeros((2, 2, 3), np.uint16), opaque // 2], axis=2)
    for data in (
        deep_png(half),
        tiff(half, photometric="rgb", extrasamples=["unassalpha"]),
        tiff(half, photometric="rgb", extrasamples=["assocalpha"]),
    ):
        assert decode(data).pixels.tolist() == [[[128] * 3] * 2] * 2
    twelve = np.concatenate([np.zeros((2, 2, 1), np.uint16), np.full((2, 2, 1), 4095, np.uint16)], axis=2)
    depth = Depth("full", {"uint16": (0, 4095)})
    assert decode(deep_png(twelve), depth=depth).pixels.max() == 0


def test_deep_pictures_are_turned_and_their_first_page_counts() -> None:
    page = scaled(GREY, "u2")
    decoded = decode(tiff(np.stack([page, page[::-1]]), photometric="minisblack", extratags=[(274, "H", 1, 6, True)]))
    assert (decoded.width, decoded.height, decoded.frames) == (32, 48, 2)
    assert decoded.pixels[0].max() == 0 and decoded.pixels[-1].min() == 255
    assert decode(encoded(Image.fromarray(page), "PNG", exif=turned(6))).width == 32


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(GREY.astype("c8")), "complex64: only whole numbers and floating-point"),
        (tiff(np.stack([scaled(GREY, "u2")] * 5, 2), photometric="minisblack", planarconfig="contig"), "5 channels"),
        (tiff(np.stack([scaled(GREY, "u1")] * 5, 2), photometric="minisblack", planarconfig="contig"), "5 channels"),
        (tiff(np.stack([scaled(GREY, "u2")] * 3, 2), photometric="minisblack", planarconfig="contig"), "3 channels"),
        (tiff(np.where(GREY < 0.1, np.nan, GREY).astype("f4")), "160 of its 1,536 values are not finite numbers"),
        (tiff(scaled(GREY, "u2"))[:-100], "the file is cut short"),
        (ppm(GREY, 4095)[:-10], "the file is cut short"),
        (pfm(GREY, "<")[:-10], "the file is cut short"),
        (b"P2 1 2 4095 0 4095", "a PPM written as text, with values up to 4,095"),
        (tiff(scaled(GREY, "u1"), subfiletype=1), "its first picture is a reduced one, a preview"),
        (deep_png(scaled(GREY, "u2"))[:-30], "damaged"),
        (jpeg2000(scaled(GREY, "u2"))[:-300], "damaged"),
    ],
    ids=[
        "complex",
        "5 of 16",
        "5 of 8",
        "3 grey",
        "nan",
        "cut",
        "cut ppm",
        "cut pfm",
        "text",
        "preview",
        "cut png",
        "cut j2k",
    ],
)
@pytest.mark.parametrize("decoder", DECODERS)
def test_what_cant_be_told_is_refused_by_name(data: bytes, reason: str, decoder: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        decode(data, decoder)


def test_what_is_no_image_is_no_matter_of_depth() -> None:
    with pytest.raises(UnreadableImage, match="not an image in a known format"):
        decode(b"text", depth=Depth("range", {"float": (0, 812.5)}))


def test_the_rule_of_the_data_set_counts() -> None:
    values = (GREY * 4095).astype("u2")
    by_bits = decode(tiff(values), depth=Depth("full", {"uint16": (0, 4095)}))
    assert np.abs(by_bits.pixels[..., 0] - GREY * 255).max() <= 1
    by_range = decode(tiff(GREY.astype("f4") * 1000 - 500), depth=Depth("range", {"float": (-500, 1500)}))
    assert by_range.pixels.min() == 0 and by_range.pixels.max() == 128
    beyond = decode(tiff(GREY.astype("f4") * 9000), depth=Depth("range", {"float": (-500, 1500)}))
    assert beyond.pixels.max() == 255


@pytest.mark.parametrize(
    ("data", "depth", "reason"),
    [
        (
            tiff((GREY * 4095).astype("u2")),
            None,
            "its 16-bit values are 0 to 4,095, which are not plausible on the full",
        ),
        (
            tiff(GREY.astype("f4") * 812),
            None,
            "its floating-point values are 0 to 812, .*the data set has 8-bit images al",
        ),
        (
            tiff((GREY * 60000).astype("u2")),
            Depth("full", {"uint16": (0, 4095)}),
            "its 16-bit values are 0 to 60,000, and those of the data set are on a scale of 0 to 4,095",
        ),
        (
            encoded(Image.new("L", (9, 9)), "PNG"),
            Depth("range", {"float": (0, 812.5)}),
            "it has 8 bits, and the data set ha",
        ),
        (
            tiff(scaled(GREY, "u2")),
            Depth("range", {"float": (0, 812.5)}),
            "values of 0 to 812.5: they have no scale in com",
        ),
    ],
    ids=["12 bits", "float", "beyond", "8 bits", "another kind"],
)
def test_values_without_a_place_on_the_scale_are_refused(data: bytes, depth: Depth | None, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        decode(data, depth=depth)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="it has no pixels"):
        make_samples(np.zeros((0, 9, 1), np.uint16), 1, "uint16", None, "TIFF")
