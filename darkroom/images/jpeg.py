"""JPEG files: which of libjpeg's warnings are damage, the same for every decoder; and decoding with libjpeg-turbo."""

import re
import struct
from typing import NamedTuple

import simplejpeg

from darkroom.images.pillow_decoder import (
    Decoded,
    UnreadableImage,
    damaged,
    exif_orientation,
    open_head,
    require_size,
    upright,
)

MAGIC, END = b"\xff\xd8\xff", b"\xff\xd9"
# EXIF's tag of the orientation, and the type of its value.
ORIENTATION, SHORT = 0x0112, 3
# Between the last block and the end marker, where no pixel can depend on them.
EXTRA_BYTES = re.compile(r"\d+ extraneous bytes before marker 0xd9")
JFIF_REVISION = re.compile(r"unknown JFIF revision number [\d.]+")
PRECISION = re.compile(r"Unsupported JPEG data precision (\d+)")
NO_END = "Premature end of JPEG file"


class SoundJpeg(NamedTuple):
    """A JPEG that decodes whole.

    Attributes:
        data: the file, changed where libjpeg would stop at it.
        remark: what libjpeg says about the file; None where it says nothing.
    """

    data: bytes
    remark: str | None = None


def sound_jpeg(data: bytes) -> SoundJpeg | None:
    """Read a JPEG once, reduced, for what libjpeg says about it; None where libjpeg-turbo does not read its kind.

    OpenCV and Pillow pass over all warnings, so that they would take pictures of which half is missing.

    Raises:
        UnreadableImage: when it is damaged.
    """
    if (head := head_of_jpeg(data)) is None:
        return None
    width, height, space = head
    require_size(width, height)
    colours = "CMYK" if space in ("CMYK", "YCCK") else "GRAY" if space == "Gray" else "RGB"
    try:
        simplejpeg.decode_jpeg(data, colours, min_height=1, min_width=1)
    except ValueError as error:
        return judge_warning(data, str(error), colours)
    return SoundJpeg(data)


def judge_warning(data: bytes, message: str, colours: str) -> SoundJpeg:
    """Decide whether a file of which libjpeg warned decodes whole all the same.

    Three warnings are no damage by themselves: bytes too many before the end marker (webcams, photo sites), no end marker
    behind a whole picture, and a version of JFIF that nobody knows. Since libjpeg reports only the first warning, the
    last two are set right and the file is read again.

    Args:
        data: the whole file.
        message: of libjpeg.
        colours: as in `simplejpeg.decode_jpeg`.

    Raises:
        UnreadableImage: when it is damaged.
    """
    if found := PRECISION.search(message):
        raise UnreadableImage(f"a JPEG of {found[1]} bits a value: convert it to PNG or TIFF of 16 bits")
    if found := EXTRA_BYTES.search(message):
        return SoundJpeg(data, found[0])
    if (found := JFIF_REVISION.search(message)) and (place := data.find(b"JFIF\0", 0, 1 << 16)) > 0:
        changed, remark = data[: place + 5] + b"\1\2" + data[place + 7 :], found[0]
    elif message == NO_END and not data.endswith(END):
        changed, remark = data + END, "no end marker"
    else:
        raise damaged(ValueError(message))
    if changed == data:
        raise damaged(ValueError(message))
    try:
        simplejpeg.decode_jpeg(changed, colours, min_height=1, min_width=1)
    except ValueError as error:
        again = judge_warning(changed, str(error), colours)
        return SoundJpeg(again.data, f"{remark}, {again.remark}")
    return SoundJpeg(changed, remark)


def head_of_jpeg(data: bytes) -> tuple[int, int, str] | None:
    """Width, height and colour space; None where libjpeg-turbo does not read the file."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return None
    return width, height, space


def decode_with_turbo(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG in grey or YCbCr, by libjpeg-turbo; None for the others."""
    head = head_of_jpeg(data)
    if head is None or head[2] not in ("Gray", "YCbCr"):
        return None
    width, height, space = head
    require_size(width, height)
    colours = "GRAY" if grey or space == "Gray" else "RGB"
    least = (least_side, least_side) if least_side else (0, 0)
    sound = SoundJpeg(data)
    try:
        pixels = simplejpeg.decode_jpeg(data, colours, min_height=least[0], min_width=least[1], min_factor=1)
    except ValueError as error:
        sound = judge_warning(data, str(error), colours)
        pixels = simplejpeg.decode_jpeg(
            sound.data, colours, min_height=least[0], min_width=least[1], min_factor=1, strict=False
        )
    # A look for an EXIF or XMP block costs a few µs, and Pillow's reading of it 40 µs: most files have none.
    orientation = orientation_of_jpeg(data)
    if orientation is None:
        opened = open_head(data)
        orientation = 1 if opened is None else exif_orientation(opened)
    mode = "L" if space == "Gray" else "RGB"
    return upright(pixels, width, height, orientation, mode, "JPEG", remark=sound.remark)


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
