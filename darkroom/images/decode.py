"""The only place that opens an image: which decoder takes a file, and the two fast decoders, libjpeg-turbo and OpenCV."""

import struct

import cv2
import numpy as np
import simplejpeg

from darkroom.images.pillow_decoder import (
    MAX_PIXELS,
    MAX_SIDE,
    Decoded,
    UnreadableImage,
    damaged,
    decode_with_pillow,
    exif_orientation,
    open_head,
    require_size,
    upright,
)

__all__ = ["MAX_PIXELS", "MAX_SIDE", "Decoded", "UnreadableImage", "decode"]

# EXIF's tag of the orientation, and the type of its value.
ORIENTATION, SHORT = 0x0112, 3

# OpenCV reports damage on the terminal, and the caller gets it anyway.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# OpenCV would use several threads for one picture; here each thread has a picture of its own, and that is faster.
cv2.setNumThreads(1)


def decode(data: bytes, decoder: str = "turbo", least_side: int | None = None, grey: bool = False) -> Decoded:
    """Open an image, all of it, from the bytes of a file.

    Transparency is laid over white; 16-bit grey keeps its upper 8 bits; palettes become colour; of several frames the
    first counts.

    Args:
        data: the whole file.
        decoder: `turbo` opens JPEG with libjpeg-turbo and refuses what that library has warnings about; `opencv` opens
            JPEG and plain PNG with OpenCV; `pillow` opens everything. What a decoder does not take goes to Pillow. On
            undamaged files all three give equal pixels at full size.
        least_side: a JPEG may come out reduced by the format's own scaling, as long as its shorter side keeps this many
            pixels. The whole file is read all the same, so damage is found.
        grey: give one channel, ITU-R 601 luma.

    Raises:
        UnreadableImage: when the bytes are empty, cut short, damaged, of an unknown format, or too many pixels.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    decoded = None
    if decoder == "turbo" and data[:3] == b"\xff\xd8\xff":
        decoded = decode_with_turbo(data, least_side, grey)
    elif decoder == "opencv" and data[:3] in (b"\xff\xd8\xff", b"\x89PN"):
        decoded = decode_with_opencv(data, least_side, grey)
    return decoded or decode_with_pillow(data, least_side, grey)


def decode_with_turbo(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG in grey or YCbCr, by libjpeg-turbo; None for the others."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return None
    if space not in ("Gray", "YCbCr"):
        return None
    require_size(width, height)
    colours = "GRAY" if grey or space == "Gray" else "RGB"
    least = (least_side, least_side) if least_side else (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(data, colours, min_height=least[0], min_width=least[1], min_factor=1)
    except ValueError as error:
        raise damaged(error) from None
    # A look for an EXIF or XMP block costs a few µs, and Pillow's reading of it 40 µs: most files have none.
    orientation = orientation_of_jpeg(data)
    if orientation is None:
        head = open_head(data)
        orientation = 1 if head is None else exif_orientation(head)
    return upright(pixels, width, height, orientation, "L" if space == "Gray" else "RGB", "JPEG")


def orientation_of_jpeg(data: bytes) -> int | None:
    """The EXIF orientation, from the first bytes of a JPEG.

    Pillow reads the whole EXIF block with all it holds: 60 µs where decoding the picture takes 60 (photographs of 100
    pixels).

    Returns:
        1 to 8 (TIFF 6.0, page 36), 1 where the file has no orientation; None where only Pillow can tell.
    """
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            return 1
        if marker == 0xFF or length < 2:
            return None
        if marker == 0xE1:
            # Another block of this kind may be XMP, which can hold an orientation too.
            return _orientation_in_exif(data[position + 4 : position + 2 + length])
        position += 2 + length
    return None


def _orientation_in_exif(block: bytes) -> int | None:
    """The orientation in the first directory of an EXIF block; None where it has none, or this is no such block."""
    order = {b"Exif\0\0II*\0": "<", b"Exif\0\0MM\0*": ">"}.get(block[:10])
    if order is None:
        return None
    tiff = block[6:]
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == ORIENTATION:
                return value if kind == SHORT and values == 1 and 1 <= value <= 8 else None
    except struct.error:
        return None
    return None


def decode_with_opencv(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG or PNG in 8-bit grey or RGB without transparency, by OpenCV; None for the others."""
    head = open_head(data)
    if (
        head is None
        or not _chunks_fit(data)
        or head.mode not in ("L", "RGB")
        or head.has_transparency_data
        or "gamma" in head.info
    ):
        return None
    if head.format == "PNG" and getattr(head, "n_frames", 1) > 1:
        return None
    width, height = head.size
    require_size(width, height)
    reduction = 1
    if head.format in ("JPEG", "MPO") and least_side:
        reduction = max(factor for factor in (1, 2, 4, 8) if factor == 1 or min(width, height) // factor >= least_side)
    plain = grey or head.mode == "L"
    # OpenCV's flags are `IMREAD_REDUCED_<GRAYSCALE or COLOR>_<factor>`: 8 times the factor, plus 1 for colour.
    flag = (
        {True: cv2.IMREAD_GRAYSCALE, False: cv2.IMREAD_COLOR}[plain] if reduction == 1 else 8 * reduction + (not plain)
    )
    array = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if array is None:
        return None
    pixels = np.asarray(array if plain else cv2.cvtColor(array, cv2.COLOR_BGR2RGB), np.uint8)
    file_format = "JPEG" if head.format == "MPO" else str(head.format)
    return upright(pixels, width, height, exif_orientation(head), head.mode, file_format)


def _chunks_fit(data: bytes) -> bool:
    """Whether the chunks of a PNG, if this is one, end within the file: OpenCV allocates what their heads promise."""
    position = 8
    while data[:3] == b"\x89PN" and position < len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            break
    return position <= len(data)
