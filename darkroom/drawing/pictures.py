"""Pictures that live inside a page: thumbnails, and heat maps over pictures."""

import base64
import io

import cv2
import numpy as np
from PIL import Image

from darkroom.runtime.arrays import Float32s, UInt8s

# Up to this side every pixel counts and is kept; above it a picture is a photograph.
EXACT_SIDE = 64
# A page shows no picture larger than this; JPEG at this size takes some 15 kB.
LONGEST_SIDE = 256

# Heat maps. Smaller pictures are enlarged by a whole number until they are as wide, with their pixels as squares; larger ones
# are reduced to the other. A map has no more to show, and takes 1 to 6 kB.
LEAST_SIDE, MOST_SIDE = 112, 224

# At the hottest place this much is colour, and the rest still the picture.
STRONGEST = 0.75

# The picture under the colours is drawn between these greys: on pure black and white colours are hard to see.
DARKEST, LIGHTEST = 40, 230

# Of the gradient that the legend is drawn with.
STOPS = 9


def image_data_uri(pixels: UInt8s, longest: int = LONGEST_SIDE) -> str:
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


def is_small(pixels: UInt8s) -> bool:
    """Whether a page shows this picture with its pixels as squares: both sides at most 64 pixels."""
    return bool(max(pixels.shape[:2]) <= EXACT_SIDE)


def overlay(image: UInt8s, heat: Float32s) -> UInt8s:
    """A picture in grey with its heat map in colour over it: the hotter, the brighter and the stronger the colour.

    The colours are matplotlib's `inferno` (van der Walt and Smith 2015), whose lightness rises evenly: equal steps of heat
    look alike, also without colour vision and in print.

    Args:
        image: uint8 [S, S, C], C being 1 (grey) or 3 (RGB).
        heat: float32 [S, S] in [0, 1].

    Returns:
        uint8 RGB [R, R, 3], R between 112 and 224.
    """
    grey = image[:, :, 0] if image.shape[2] == 1 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    side = max(grey.shape)
    wanted = -(-LEAST_SIDE // side) * side if side < LEAST_SIDE else min(side, MOST_SIDE)
    filtering = cv2.INTER_NEAREST if wanted > side else cv2.INTER_AREA
    shown = np.asarray(cv2.resize(grey, (wanted, wanted), interpolation=filtering), np.float32)
    shown = DARKEST + shown * np.float32((LIGHTEST - DARKEST) / 255)
    warm = np.clip(cv2.resize(heat, (wanted, wanted), interpolation=cv2.INTER_LINEAR), 0, 1)
    return _coloured(shown, warm)


def heatmap_data_uri(image: UInt8s, heat: Float32s) -> str:
    """`overlay` as the `src` of an `<img>`: WebP, 1 to 6 kB. Equal inputs give equal text.

    Args:
        image, heat: as for `overlay`.
    """
    buffer = io.BytesIO()
    Image.fromarray(overlay(image, heat)).save(buffer, "WEBP", quality=60, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def legend() -> str:
    """The colours over a middle grey, from no heat to most, as CSS: the `background` of a legend's bar."""
    heat = np.linspace(0, 1, STOPS, dtype=np.float32)[None]
    colours = _coloured(np.full_like(heat, (DARKEST + LIGHTEST) / 2), heat)[0]
    return f"linear-gradient(90deg, {', '.join(f'#{bytes(colour).hex()}' for colour in colours.tolist())})"


def _coloured(grey: Float32s, heat: Float32s) -> UInt8s:
    """uint8 RGB [H, W, 3] of greys in [0, 255] and heat in [0, 1], float32 [H, W] each."""
    levels = np.round(255 * heat).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB).reshape(*heat.shape, 3)
    share = STRONGEST * heat[:, :, None]
    mixed: UInt8s = np.round((1 - share) * grey[:, :, None] + share * colours).astype(np.uint8)
    return mixed
