"""Pictures that live inside a page."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

# Up to this side every pixel counts and is kept; above it a picture is a photograph.
EXACT_SIDE = 64
# A page shows no picture larger than this; JPEG at this size takes some 15 kB.
LONGEST_SIDE = 256


def image_data_uri(pixels: npt.NDArray[np.uint8], longest: int = LONGEST_SIDE) -> str:
    """A picture as the `src` of an `<img>`.

    Args:
        pixels: uint8 [H, W, C], C being 1 (grey) or 3 (RGB).
        longest: side of a photograph, in pixels; larger ones are reduced to it.

    Returns:
        A `data:` URI; equal pixels give equal text. PNG, exact, when both sides are at most 64 pixels (the page shows these
        crisp: class `crisp`); above that JPEG, reduced to at most `longest` pixels a side.
    """
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    if is_small(pixels):
        kind = "png"
        picture.save(buffer, "PNG", optimize=True)
    else:
        kind = "jpeg"
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        picture.save(buffer, "JPEG", quality=85)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def is_small(pixels: npt.NDArray[np.uint8]) -> bool:
    """Whether a page shows this picture with its pixels as squares: both sides at most 64 pixels."""
    return bool(max(pixels.shape[:2]) <= EXACT_SIDE)
