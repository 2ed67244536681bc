"""Small plain PNG files come out as from Pillow, to the last value; whatever else there is goes to Pillow."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from darkroom.images.decode import decode
from darkroom.images.plain_png import decode_plain_png
from tests.support.pictures import colour, encoded, png


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def file_of(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def head(width: int, height: int, kind: int, depth: int = 8, interlaced: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from([0, 2]), width=st.integers(1, 40), height=st.integers(1, 12))
def test_pixels_are_those_of_pillow(data: st.DataObject, kind: int, width: int, height: int) -> None:
    """Every filter, level and cutting of the values into chunks."""
    row = width * (1 if kind == 0 else 3)
    seed, level = data.draw(st.integers(0, 1000)), data.draw(st.integers(0, 9))
    filters = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    values = np.random.default_rng(seed).integers(0, 256, (height, row), np.uint8)
    packed = zlib.compress(
        b"".join(bytes([f]) + line.tobytes() for f, line in zip(filters, values, strict=True)), level
    )
    cut = data.draw(st.integers(1, len(packed)))
    parts = [(b"IDAT", part) for part in (packed[:cut], packed[cut:]) if part]
    optional = data.draw(st.sampled_from([[], [(b"pHYs", bytes(9))], [(b"tIME", b"\x07\xea\1\1\1\1\1")]]))
    file = file_of(head(width, height, kind), *optional, *parts, (b"IEND", b""))
    for grey in (False, True):
        plain, theirs = decode_plain_png(file, grey), decode(file, "pillow", grey=grey)
        assert plain is not None
        assert (plain.pixels == theirs.pixels).all() and plain.pixels.shape == theirs.pixels.shape
        assert plain.pixels.dtype == np.uint8
        for name in ("width", "height", "mode", "format", "frames", "remark"):
            assert getattr(plain, name) == getattr(theirs, name)


SOUND = encoded(colour(), "PNG")
RAW = bytes(colour().tobytes())


def text_chunk() -> Any:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "x")
    return info


@pytest.mark.parametrize(
    "data",
    [
        encoded(colour().convert("RGBA"), "PNG"),
        encoded(colour().convert("LA"), "PNG"),
        encoded(colour().convert("P"), "PNG"),
        encoded(colour().convert("1"), "PNG"),
        encoded(colour(), "PNG", transparency=(1, 2, 3)),
        encoded(colour(), "PNG", pnginfo=text_chunk()),
        encoded(colour(), "PNG", save_all=True, append_images=[colour(seed=1)]),
        encoded(Image.new("L", (300, 300)), "PNG"),
        png(20, 10, 8, 2, RAW, gAMA=bytes(4)),
        file_of(head(1, 1, 0, interlaced=1), (b"IDAT", zlib.compress(b"\0\7")), (b"IEND", b"")),
        SOUND + b"\0",
    ],
)
def test_all_others_are_left_to_pillow_and_taken(data: bytes) -> None:
    assert decode_plain_png(data, False) is None
    for decoder in ("turbo", "opencv"):
        assert (decode(data, decoder).pixels == decode(data, "pillow").pixels).all()


@pytest.mark.parametrize(
    "packed",
    [
        zlib.compress(b"\0\1\0\2")[:-1],
        zlib.compress(b"\0\1\0\2")[:-4] + bytes(4),
        zlib.compress(b"\0\1\0"),
        zlib.compress(b"\0\1\0\2\0\3"),
        zlib.compress(b"\0\1\5\2"),
        zlib.compress(b"\0\1\0\2") + b"x",
        b"",
    ],
)
def test_values_that_do_not_fit_the_head_are_left_to_pillow(packed: bytes) -> None:
    assert decode_plain_png(file_of(head(1, 2, 0), (b"IDAT", packed), (b"IEND", b"")), False) is None


def test_a_file_that_is_changed_or_cut_anywhere_is_never_taken_here() -> None:
    assert decode_plain_png(SOUND, False) is not None
    for place in range(len(SOUND)):
        changed = bytearray(SOUND)
        changed[place] ^= 0x20
        assert decode_plain_png(bytes(changed), False) is None
        assert decode_plain_png(SOUND[:place], False) is None


def test_a_bomb_is_not_unfolded() -> None:
    bomb = file_of(head(1, 1, 0), (b"IDAT", zlib.compress(bytes(1 << 26))), (b"IEND", b""))
    assert decode_plain_png(bomb, False) is None
