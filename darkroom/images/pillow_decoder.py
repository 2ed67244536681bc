"""Opening any picture with Pillow, and reading what a file says of itself before its pixels."""

import io
import struct
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from darkroom.images.decoded import MAX_PIXELS, TURNS, Decoded, UnreadableImage, damaged, require_size, upright

# What Pillow may open: EPS would start another program, and the rare ones would cost more trust than they are worth.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF")

# What Pillow's plug-ins raise on damaged files; none of them has a base class of its own.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AssertionError,
    struct.error,
)

# Pillow warns of odd EXIF blocks and of large pictures; we have our own limit, and odd EXIF is no fault here. Said once,
# since `warnings.catch_warnings` is not for threads.
warnings.filterwarnings("ignore", module="PIL")


def decode_with_pillow(data: bytes, least_side: int | None, grey: bool) -> Decoded:
    """Any picture in one of `FORMATS`, by Pillow; arguments and errors as in `darkroom.images.decode.decode`."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            require_size(width, height)
            mode, file_format = opened.mode, opened.format or "unknown"
            if least_side and min(width, height) > least_side:
                share = least_side / min(width, height)
                opened.draft(None, (int(np.ceil(width * share)), int(np.ceil(height * share))))
            opened.load()
            picture = _plain(opened)
            pixels = np.asarray(picture.convert("L") if grey else picture)
            # Last, since counting frames moves on from the first.
            orientation, frames = exif_orientation(opened), getattr(opened, "n_frames", 1)
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"more than {MAX_PIXELS:,} pixels") from None
    except DAMAGE as error:
        if isinstance(error, UnreadableImage):
            raise
        raise damaged(error) from None
    if file_format == "MPO":
        # A photograph with another beside it, such as a preview: every other reader takes it for a JPEG.
        file_format, frames = "JPEG", 1
    return upright(pixels, width, height, orientation, mode, file_format, frames)


def open_head(data: bytes) -> Image.Image | None:
    """The file as Pillow opens it, before it reads any pixel; None where it can't."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (*DAMAGE, Image.DecompressionBombError):
        return None


def exif_orientation(opened: Image.Image) -> int:
    """1 to 8; 1 where the EXIF block can't be read, which is no fault of the picture."""
    try:
        value = opened.getexif().get(0x0112, 1)
    except DAMAGE:
        return 1
    return value if value in TURNS else 1


def _plain(picture: Image.Image) -> Image.Image:
    """To mode `L` or `RGB`, by the rules that `decode` declares."""
    if picture.mode in ("L", "RGB") and not picture.has_transparency_data:
        return picture
    if picture.mode.startswith("I;16") or picture.mode == "I":
        upper = picture.point(lambda value: value / 256).convert("L")
        clear = np.asarray(picture) == picture.info.get("transparency")
        return Image.fromarray(np.where(clear, np.uint8(255), np.asarray(upper)))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(ground, layer)
        return flat.convert("L" if picture.mode in ("1", "L", "LA", "La") else "RGB")
    return picture.convert("L" if picture.mode in ("1", "F") else "RGB")
