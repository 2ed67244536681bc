"""The only place that opens an image: which decoder takes a file, and by which rules all of them make it pixels."""

from darkroom.images.decoded import MAX_PIXELS, MAX_SIDE, Decoded, UnreadableImage
from darkroom.images.jpeg_turbo import decode_with_turbo
from darkroom.images.opencv_decoder import decode_with_opencv
from darkroom.images.pillow_decoder import decode_with_pillow

__all__ = ["MAX_PIXELS", "MAX_SIDE", "Decoded", "UnreadableImage", "decode"]


def decode(data: bytes, decoder: str = "turbo", least_side: int | None = None, grey: bool = False) -> Decoded:
    """Open an image, all of it, from the bytes of a file.

    Transparency is laid over white; 16-bit grey keeps its upper 8 bits; palettes become colour; of several frames the
    first counts.

    Args:
        data: the whole file.
        decoder: `turbo` opens JPEG with libjpeg-turbo and refuses what that library has warnings about; `opencv` opens
            JPEG and plain PNG with OpenCV; `pillow` opens everything. What a decoder does not take goes to Pillow. On sound
            files all three give equal pixels at full size.
        least_side: a JPEG may come out reduced by the format's own scaling, as long as its shorter side keeps this many
            pixels. The whole file is read all the same, so damage is found.
        grey: give one channel, ITU-R 601 luma.

    Raises:
        UnreadableImage: when the bytes are empty, cut short, damaged, of an unknown format, or too many pixels.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    found = None
    if decoder == "turbo" and data[:3] == b"\xff\xd8\xff":
        found = decode_with_turbo(data, least_side, grey)
    elif decoder == "opencv" and data[:3] in (b"\xff\xd8\xff", b"\x89PN"):
        found = decode_with_opencv(data, least_side, grey)
    return found or decode_with_pillow(data, least_side, grey)
