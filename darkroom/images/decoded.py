"""What every decoder gives and keeps to: an upright picture, the limits on its size, and the error for what is no picture."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Past this a file of a few kilobytes can unfold into gigabytes; a 100-megapixel photograph stays well below. It is Pillow's
# own limit too, so that no decoder takes what another refuses.
MAX_PIXELS = 178_956_970
# OpenCV's limit for a side, and a wise one: Pillow takes minutes for one row of ten million pixels.
MAX_SIDE = 1 << 20

# EXIF orientation → quarter turns to the left, and whether to mirror left to right afterwards.
TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


class UnreadableImage(ValueError):
    """These bytes are not an image that can be used; the message is the reason, for the list of rejects."""


@dataclass(frozen=True)
class Decoded:
    """An upright picture, and what its file said of itself.

    Attributes:
        pixels: uint8 [H, W, C], C being 1 (grey) or 3 (RGB), turned as the EXIF orientation says.
        width: of the upright picture in its file, in pixels; `pixels` may be a reduction of it.
        height: likewise.
        mode: Pillow's name of the file's own mode: `L`, `RGB`, `RGBA`, `P`, `CMYK`, `I;16`, …
        format: Pillow's name of the file's format: `JPEG`, `PNG`, …
        frames: how many pictures the file holds; the first counts.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    mode: str
    format: str
    frames: int = 1


def upright(
    pixels: npt.NDArray[np.uint8],
    width: int,
    height: int,
    orientation: int,
    mode: str,
    file_format: str,
    frames: int = 1,
) -> Decoded:
    """What a decoder found, turned as the EXIF orientation says.

    Args:
        pixels: uint8 [H, W] or [H, W, C], as they lie in the file.
        width, height: of the picture in its file, before it is turned.
        orientation: 1 to 8 (TIFF 6.0, page 36).
        mode, file_format, frames: as in `Decoded`.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if orientation in TURNS:
        turns, mirror = TURNS[orientation]
        pixels = np.rot90(pixels, turns)
        pixels = np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
        if turns % 2:
            width, height = height, width
    return Decoded(pixels, width, height, mode, file_format, frames)


def require_size(width: int, height: int) -> None:
    """Refuse a picture that is past the limits, with `UnreadableImage`."""
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_SIDE:
        raise UnreadableImage(f"{width} x {height} pixels, more than {MAX_SIDE:,} on one side")


def damaged(error: BaseException) -> UnreadableImage:
    """With what the library said, unless that is nothing, or a bare name or number."""
    said = str(error)
    return UnreadableImage(f"damaged: {said if ' ' in said else 'its parts do not fit together'}")
