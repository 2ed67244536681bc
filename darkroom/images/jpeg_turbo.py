"""Opening a JPEG with libjpeg-turbo."""

import simplejpeg

from darkroom.images.decoded import Decoded, damaged, require_size, upright
from darkroom.images.orientation import orientation_of_jpeg
from darkroom.images.pillow_decoder import exif_orientation, open_head


def decode_with_turbo(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG in grey or YCbCr, by libjpeg-turbo; None for the others."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return None
    if space not in ("Gray", "YCbCr"):
        return None
    require_size(width, height)
    wanted = "GRAY" if grey or space == "Gray" else "RGB"
    least = (least_side, least_side) if least_side else (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(data, wanted, min_height=least[0], min_width=least[1], min_factor=1)
    except ValueError as error:
        raise damaged(error) from None
    # A look for an EXIF or XMP block costs a few µs, and Pillow's reading of it 40 µs: most files have none.
    orientation = orientation_of_jpeg(data)
    if orientation is None:
        head = open_head(data)
        orientation = 1 if head is None else exif_orientation(head)
    return upright(pixels, width, height, orientation, "L" if space == "Gray" else "RGB", "JPEG")
