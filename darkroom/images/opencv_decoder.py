"""Opening a JPEG or a plain PNG with OpenCV."""

import cv2
import numpy as np

from darkroom.images.decoded import Decoded, require_size, upright
from darkroom.images.pillow_decoder import exif_orientation, open_head

# OpenCV tells the terminal of damage that the caller hears of anyway.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# Libraries keep threads of their own for single pictures; here whole pictures go to threads, and that is faster.
cv2.setNumThreads(1)


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
    found = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        return None
    pixels = np.asarray(found if plain else cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
    file_format = "JPEG" if head.format == "MPO" else str(head.format)
    return upright(pixels, width, height, exif_orientation(head), head.mode, file_format)


def _chunks_fit(data: bytes) -> bool:
    """Whether the chunks of a PNG, if this is one, lie within the file: OpenCV asks for the memory that their heads promise."""
    position = 8
    while data[:3] == b"\x89PN" and position < len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            break
    return position <= len(data)
