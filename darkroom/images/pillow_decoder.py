"""What every decoder gives: an upright picture within the limits of size; and the decoder that opens everything, Pillow."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from darkroom.runtime.arrays import UInt8s

# Past this a file of a few kilobytes can unfold into gigabytes; a 100-megapixel photograph stays well below. It is Pillow's
# own limit too, so that no decoder takes what another refuses.
MAX_PIXELS = 178_956_970
# OpenCV's limit for a side, kept for all decoders: Pillow takes minutes for one row of ten million pixels.
MAX_SIDE = 1 << 20

# Pixels of a band, where a picture is worked on in parts.
BAND = 1 << 20

# EXIF orientation → quarter turns to the left, and whether to mirror left to right afterwards.
TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}

# What Pillow may open: EPS would start another program, and the rare ones would cost more trust than they are worth.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF")

# ISO 23008-12, annex B.
HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}

# Pillow warns of odd EXIF blocks and of large pictures; we have our own limit, and odd EXIF is no fault here. Set once for the
# process, since `warnings.catch_warnings` is not for threads.
warnings.filterwarnings("ignore", module="PIL")


class UnreadableImage(ValueError):
    """These bytes are not an image that can be used; the message is the reason, for the list of rejects."""


class TooManyPixels(UnreadableImage):
    """These bytes may be an image, and it is past the limits of size."""


class OutOfMemory(UnreadableImage):
    """These bytes may be an image, and there is not enough memory to open it."""


@dataclass(frozen=True)
class Decoded:
    """An upright picture, and the properties of its file.

    Attributes:
        pixels: uint8 [H, W, C], C being 1 (grey) or 3 (RGB), turned as the EXIF orientation says.
        width, height: of the upright picture in its file, in pixels; `pixels` may be a reduction of it.
        mode: Pillow's name of the file's own mode: `L`, `RGB`, `RGBA`, `P`, `CMYK`, `I;16`, …
        format: Pillow's name of the file's format: `JPEG`, `PNG`, …
        frames: how many pictures the file holds; the first counts.
        remark: what the decoder says about a file that it reads whole all the same; None where it says nothing.
    """

    pixels: UInt8s
    width: int
    height: int
    mode: str
    format: str
    frames: int = 1
    remark: str | None = None


def upright(
    pixels: UInt8s,
    width: int,
    height: int,
    orientation: int,
    mode: str,
    file_format: str,
    frames: int = 1,
    remark: str | None = None,
) -> Decoded:
    """Turn a decoded picture as the EXIF orientation says.

    Args:
        pixels: uint8 [H, W] or [H, W, C], as they are in the file.
        width, height: of the picture in its file, before it is turned.
        orientation: 1 to 8 (TIFF 6.0, page 36).
        mode, file_format, frames, remark: as in `Decoded`.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if orientation in TURNS:
        turns, mirror = TURNS[orientation]
        pixels = np.rot90(pixels, turns)
        pixels = np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
        if turns % 2:
            width, height = height, width
    return Decoded(pixels, width, height, mode, file_format, frames, remark)


def require_size(width: int, height: int) -> None:
    """Refuse a picture that is past the limits, with `TooManyPixels`."""
    if width * height > MAX_PIXELS:
        raise TooManyPixels(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(f"{width} x {height} pixels, more than {MAX_SIDE:,} on one side")


def damaged(error: BaseException) -> UnreadableImage:
    """The error with the library's message, unless that is empty, a bare name or number, or an address in memory."""
    message = " ".join(str(error).split())
    tells = " " in message and " object at 0x" not in message
    return UnreadableImage(f"damaged: {message if tells else 'its parts do not fit together'}")


def out_of_memory() -> OutOfMemory:
    """The error with its message."""
    return OutOfMemory("it needs more memory than there is")


@contextmanager
def refuse_damage() -> Iterator[None]:
    """Turn whatever a library raises over the bytes of one image into `UnreadableImage`.

    The only place that catches everything: Pillow's plug-ins, OpenCV and the codecs below them have no error in common,
    and raise what Python happens to raise where damaged bytes lead them (`struct.error`, `SystemError`, `MemoryError`).
    """
    try:
        yield
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Image.DecompressionBombError:
        raise TooManyPixels(f"more than {MAX_PIXELS:,} pixels") from None
    except MemoryError:
        raise out_of_memory() from None
    except Exception as error:
        raise damaged(error) from None


def decode_with_pillow(data: bytes, least_side: int | None, grey: bool) -> Decoded:
    """Any picture in one of `FORMATS`, by Pillow; arguments and errors as in `darkroom.images.decode.decode`."""
    with Image.open(io.BytesIO(data), formats=_heif() if is_heif(data) else FORMATS) as opened:
        width, height = opened.size
        require_size(width, height)
        mode, file_format = opened.mode, opened.format or "unknown"
        if least_side and min(width, height) > least_side:
            share = least_side / min(width, height)
            opened.draft(None, (int(np.ceil(width * share)), int(np.ceil(height * share))))
        opened.load()
        pixels = _plain_array(opened, grey)
        # Last, since counting frames moves on from the first.
        orientation, frames = exif_orientation(opened), getattr(opened, "n_frames", 1)
    if file_format == "MPO":
        # A photograph with another beside it, such as a preview: every other reader takes it for a JPEG.
        file_format, frames = "JPEG", 1
    return upright(pixels, width, height, orientation, mode, file_format, frames)


def is_heif(data: bytes) -> bool:
    """Whether a file is HEIC, as phones write it; Pillow itself reads AVIF, which has the same beginning."""
    length = int.from_bytes(data[:4], "big")
    brands = {data[start : start + 4] for start in range(8, min(length, 256), 4)}
    return data[4:8] == b"ftyp" and bool(brands & HEIF_BRANDS) and not brands & {b"avif", b"avis"}


def _heif() -> tuple[str]:
    # Imported here: it takes 0.2 s, and most data sets have no such file.
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1  # As OpenCV: each thread has a picture of its own.
    pillow_heif.register_heif_opener(thumbnails=False)
    return ("HEIF",)


def open_head(data: bytes) -> Image.Image | None:
    """The file as Pillow opens it, before it reads any pixel; None where it can't."""
    try:
        with refuse_damage():
            return Image.open(io.BytesIO(data), formats=_heif() if is_heif(data) else FORMATS)
    except UnreadableImage:
        return None


def exif_orientation(opened: Image.Image) -> int:
    """1 to 8; 1 where the EXIF block can't be read, which is no fault of the picture."""
    try:
        with refuse_damage():
            value = opened.getexif().get(0x0112, 1)
    except UnreadableImage:
        return 1
    return value if value in TURNS else 1


def _plain_array(picture: Image.Image, grey: bool) -> UInt8s:
    """A loaded picture as uint8 [H, W] or [H, W, 3]; a large one band by band, each pixel being on its own here.

    On its way to plain colours a picture is in memory five times: 8 of 49 megapixels, in files of 185 kB with transparency,
    took a service of two threads to 2.1 GB.
    """
    rows = max(1, BAND // picture.width)
    if rows >= picture.height or picture.mode.startswith(("I", "F")):
        plain = _plain(picture)
        return np.asarray(plain.convert("L") if grey else plain)
    pixels = None
    for top in range(0, picture.height, rows):
        band = _plain(picture.crop((0, top, picture.width, min(top + rows, picture.height))))
        values = np.asarray(band.convert("L") if grey else band)
        if pixels is None:
            pixels = np.empty((picture.height, *values.shape[1:]), np.uint8)
        pixels[top : top + rows] = values
    assert pixels is not None
    return pixels


def _plain(picture: Image.Image) -> Image.Image:
    """To mode `L` or `RGB`, by the rules of `darkroom.images.decode.decode`."""
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
    if picture.mode == "F":
        raise UnreadableImage("floating-point numbers in a form that is not read: save it as TIFF or PFM")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def is_grey(mode: str) -> bool:
    """Whether `darkroom.images.decode` gives a file of this mode one channel; all others come out in colour."""
    return mode.partition(";")[0] in ("1", "L", "LA", "La", "I", "F")
