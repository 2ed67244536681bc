"""Small PNG files of the plainest kind, by OpenCV: Pillow takes three times as long, most of it to look for what they lack."""

import zlib

import cv2
import numpy as np
from PIL import Image

from darkroom.images.pillow_decoder import Decoded, require_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Type of colour in the head → Pillow's mode, and channels. Others have a palette, transparency or 16 bits.
COLOURS = {0: ("L", 1), 2: ("RGB", 3)}
# Of the optional chunks those that say nothing about pixels, colours or orientation, resolution and time; with their bytes.
HARMLESS = {b"pHYs": 9, b"tIME": 7}
# A larger one takes its time for its pixels, and would be unfolded twice.
MOST_PIXELS = 1 << 16


def decode_plain_png(data: bytes, grey: bool) -> Decoded | None:
    """A small PNG of 8-bit grey or RGB that is whole to the last checksum; None for all others, damaged ones among them.

    OpenCV may give half a picture for a damaged file, so that everything is checked before it is asked: the chunks and their
    checksums, that the values unfold to as many bytes as the head promises, and that each row has a filter that exists.

    Args:
        data: the whole file.
        grey: as in `darkroom.images.decode.decode`.
    """
    if data[:8] != SIGNATURE or data[8:16] != b"\0\0\0\rIHDR" or len(data) < 57:
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, *rest = data[24:29]
    if depth != 8 or colour not in COLOURS or any(rest) or not 0 < width * height <= MOST_PIXELS:
        return None
    require_size(width, height)
    mode, channels = COLOURS[colour]
    if not _is_whole(data, height, 1 + width * channels):
        return None
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB)
    if array is None or array.shape[:2] != (height, width):
        return None
    pixels = np.asarray(array, np.uint8)
    if grey and channels == 3:
        # OpenCV rounds its luma otherwise.
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return Decoded(pixels.reshape(height, width, -1), width, height, mode, "PNG")


def _is_whole(data: bytes, height: int, row: int) -> bool:
    """Whether the chunks of a PNG are plain and undamaged, and its values so many rows of so many bytes."""
    position, values = 8, list[bytes]()
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data) or zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if kind == b"IDAT" and length:
            values.append(data[position + 8 : end - 4])
        elif kind == b"IEND":
            return length == 0 and end == len(data) and _unfolds(b"".join(values), height, row)
        elif position > 8 and (values or HARMLESS.get(kind) != length):
            return False
        position = end
    return False


def _unfolds(values: bytes, height: int, row: int) -> bool:
    unfolder = zlib.decompressobj()
    try:
        rows = unfolder.decompress(values, height * row + 1)
    except zlib.error:
        return False
    filters = rows[::row]
    return len(rows) == height * row and unfolder.eof and not unfolder.unused_data and max(filters) <= 4
