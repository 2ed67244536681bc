"""Data sets that come as arrays, not files: their pictures are given as PNG files, which lose nothing."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def as_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The PNG file of a picture: uint8 [H, W] (grey) or [H, W, 3] (RGB)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
