"""The only place that opens an image."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

# Past this a file of a few kilobytes can unfold into gigabytes; a 100-megapixel photograph stays well below.
MAX_PIXELS = 200_000_000


class UnreadableImage(ValueError):
    """These bytes are not an image that can be used; the message is the reason, for the list of rejects."""


@dataclass(frozen=True)
class Decoded:
    """An upright picture in one of two modes, and what its file said of itself.

    Attributes:
        picture: mode `L` (grey) or `RGB`, turned as its EXIF orientation says.
        width: of the upright picture, in pixels.
        height: likewise.
        mode: Pillow's name of the file's own mode: `L`, `RGB`, `RGBA`, `P`, `CMYK`, `I;16`, …
        format: Pillow's name of the file's format: `JPEG`, `PNG`, …
    """

    picture: Image.Image
    width: int
    height: int
    mode: str
    format: str


def decode(data: bytes) -> Decoded:
    """Open an image, all of it, from the bytes of a file.

    Transparency is laid over white; 16-bit grey keeps its upper 8 bits; palettes become colour; of several frames the
    first counts.

    Raises:
        UnreadableImage: when the bytes are empty, cut short, damaged, of an unknown format, or too many pixels.
    """
    if not data:
        raise UnreadableImage("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd EXIF blocks and of large pictures; we have our own limit, and odd EXIF is no fault here.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise UnreadableImage(f"{opened.width} x {opened.height} pixels, more than {MAX_PIXELS:,}")
                mode, file_format = opened.mode, opened.format or "unknown"
                opened.load()
                picture = _plain(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        ArithmeticError,
        LookupError,
        TypeError,
        Image.DecompressionBombError,
    ) as error:
        # What Pillow's plug-ins raise on damaged files; none of them has a base class of its own.
        if isinstance(error, UnreadableImage):
            raise
        raise UnreadableImage(f"damaged: {error}") from None
    return Decoded(picture, picture.width, picture.height, mode, file_format)


def _plain(picture: Image.Image) -> Image.Image:
    """To mode `L` or `RGB`, by the rules that `decode` declares."""
    if picture.mode in ("L", "RGB"):
        return picture
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return picture.point(lambda value: value / 256).convert("L")
    if picture.mode in ("1", "F"):
        return picture.convert("L")
    if picture.has_transparency_data:
        upper = picture.convert("RGBA")
        ground = Image.new("RGBA", upper.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(ground, upper)
        return flat.convert("L" if picture.mode in ("LA", "La") else "RGB")
    return picture.convert("RGB")
