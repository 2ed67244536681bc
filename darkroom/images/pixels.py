"""From a file to the array that a network takes: the one rule that training, evaluation and serving share."""

import cv2
import numpy as np

from darkroom.images.decode import decode
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import UInt8s

# A JPEG may be reduced while it is decoded as long as twice the target side is left: on 200 photographs to 64 pixels that is
# 1.4 times as fast, and moves a value by 2.2 of 255 on average; bilinear and bicubic filters differ by 1.9.
OVERSAMPLING = 2


def read_pixels(data: bytes, size: int, channels: int, resize: str, decoder: str, depth: Depth | None = None) -> UInt8s:
    """Decode, convert and resize the bytes of an image file.

    Args:
        data: the whole file.
        size, channels, resize, decoder, depth: as in `darkroom.model.spec.Preprocessing`.

    Returns:
        uint8 [size, size, channels].

    Raises:
        UnreadableImage: with the reason.
    """
    decoded = decode(data, decoder, least_side=OVERSAMPLING * size, grey=channels == 1, depth=depth)
    return to_pixels(decoded.pixels, size, channels, resize)


def to_pixels(picture: UInt8s, size: int, channels: int, resize: str) -> UInt8s:
    """Convert and resize one picture.

    Args:
        picture: uint8 [H, W, C], C being 1 (grey) or 3 (RGB).
        size, channels, resize: as in `darkroom.model.spec.Preprocessing`.

    Returns:
        uint8 [size, size, channels]. A side is reduced by averaging over areas, which does not alias, and enlarged
        linearly; grey is ITU-R 601 luma.
    """
    if picture.shape[2] != channels:
        conversion = cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_GRAY2RGB
        picture = np.asarray(cv2.cvtColor(picture, conversion), np.uint8)
    height, width = picture.shape[:2]
    if resize == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        picture = picture[top : top + side, left : left + side]
    if resize == "pad":
        picture = _pad(picture, size)
    return _resize(picture, size, size).reshape(size, size, channels)


def _pad(picture: UInt8s, size: int) -> UInt8s:
    """Fit a picture into a black square; a side that would round to nothing keeps one pixel."""
    longer = max(picture.shape[:2])
    height, width = (max(1, round(side * size / longer)) for side in picture.shape[:2])
    top, left = (size - height) // 2, (size - width) // 2
    small = _resize(picture, width, height)
    sides = (top, size - height - top, left, size - width - left)
    return np.asarray(cv2.copyMakeBorder(small, *sides, cv2.BORDER_CONSTANT, value=(0, 0, 0)))


def _resize(picture: UInt8s, width: int, height: int) -> UInt8s:
    """OpenCV averages over areas only where both sides shrink, so each side that does shrinks first."""
    reduced = (min(width, picture.shape[1]), min(height, picture.shape[0]))
    if reduced != (picture.shape[1], picture.shape[0]):
        picture = np.asarray(cv2.resize(picture, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    if reduced != (width, height):
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return picture
