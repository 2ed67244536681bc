"""The only place that opens an image: which decoder takes a file; and OpenCV's decoder."""

from dataclasses import replace

import cv2
import numpy as np

from darkroom.images.deep_files import PNG, TIFF, read_samples
from darkroom.images.depth import decode_samples, require_place_for_bytes
from darkroom.images.jpeg import MAGIC, decode_with_turbo, head_of_jpeg, sound_jpeg
from darkroom.images.pillow_decoder import (
    MAX_PIXELS,
    MAX_SIDE,
    Decoded,
    OutOfMemory,
    TooManyPixels,
    UnreadableImage,
    decode_with_pillow,
    exif_orientation,
    open_head,
    out_of_memory,
    refuse_damage,
    require_size,
    upright,
)
from darkroom.images.plain_png import decode_plain_png
from darkroom.images.samples import Samples
from darkroom.model.depth import Depth

__all__ = [
    "MAX_PIXELS",
    "MAX_SIDE",
    "Decoded",
    "OutOfMemory",
    "TooManyPixels",
    "UnreadableImage",
    "decode",
    "open_samples",
    "out_of_memory",
    "picture_size",
]

# OpenCV reports damage on the terminal, and the caller gets it anyway.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# OpenCV would use several threads for one picture; here each thread has a picture of its own, and that is faster.
cv2.setNumThreads(1)


def decode(
    data: bytes,
    decoder: str = "turbo",
    least_side: int | None = None,
    grey: bool = False,
    depth: Depth | None = None,
) -> Decoded:
    """Open an image, all of it, from the bytes of a file.

    Transparency is laid over white; palettes become colour; of several frames the first counts.

    Args:
        data: the whole file.
        decoder: `turbo` opens JPEG with libjpeg-turbo, and small plain PNG with OpenCV; `opencv` opens JPEG and plain PNG
            with OpenCV; `pillow` opens everything. What a decoder does not take goes to Pillow. All three take the same
            files, and on undamaged ones they give equal pixels at full size.
        least_side: a JPEG may come out reduced by the format's own scaling, as long as its shorter side keeps this many
            pixels. The whole file is read all the same, so damage is found.
        grey: give one channel, ITU-R 601 luma.
        depth: the rule of the data set for files that hold other than 8 bits a value; None where all its images have 8.

    Raises:
        UnreadableImage: when the bytes are empty, cut short, damaged, of an unknown format, or too many pixels; or
            when a library raises whatever else over them.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    with refuse_damage():
        samples = read_samples(data)
        if samples is None:
            decoded = _decode(data, decoder, least_side, grey)
            require_place_for_bytes(depth)
            return decoded
        decoded = decode_samples(samples, depth)
        if grey and decoded.pixels.shape[2] == 3:
            luma = np.asarray(cv2.cvtColor(decoded.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
            decoded = replace(decoded, pixels=luma[:, :, None])
        return decoded


def open_samples(data: bytes) -> Samples | None:
    """The values of a file that holds other than 8 bits a value; None for all other files, damaged ones among them.

    Raises:
        UnreadableImage: as in `decode`.
    """
    with refuse_damage():
        return read_samples(data)


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the head of a file declares them, before any pixel is read; None where only decoding can tell.

    A few µs for JPEG and PNG, some 50 for what Pillow has to open.
    """
    if data[:3] == MAGIC and (head := head_of_jpeg(data)):
        return head[:2]
    if data[:4] == PNG and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:4] in TIFF:
        # Imported here: most data sets have no such file, and it takes 0.1 s.
        from darkroom.images.tiff import tiff_size

        return tiff_size(data)
    opened = open_head(data)
    return opened.size if opened else None


def _decode(data: bytes, decoder: str, least_side: int | None, grey: bool) -> Decoded:
    remark = None
    if data[:3] == MAGIC:
        if decoder == "turbo" and (decoded := decode_with_turbo(data, least_side, grey)):
            return decoded
        if sound := sound_jpeg(data):
            data, remark = sound
    if decoder != "pillow" and (plain := decode_plain_png(data, grey)):
        return plain
    # OpenCV prints libjpeg's warnings on the terminal.
    decoded = decode_with_opencv(data, least_side, grey) if decoder == "opencv" and not remark else None
    return replace(decoded or decode_with_pillow(data, least_side, grey), remark=remark)


def decode_with_opencv(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG or PNG in 8-bit grey or RGB without transparency, by OpenCV; None for the others."""
    if data[:3] not in (MAGIC, b"\x89PN"):
        return None
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
