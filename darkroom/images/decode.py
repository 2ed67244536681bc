"""The only place that opens an image."""

import io
import struct
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from darkroom.images.orientation import orientation_of_jpeg

# Past this a file of a few kilobytes can unfold into gigabytes; a 100-megapixel photograph stays well below. It is Pillow's
# own limit too, so that no decoder takes what another refuses.
MAX_PIXELS = 178_956_970
# OpenCV's limit for a side, and a wise one: Pillow takes minutes for one row of ten million pixels.
MAX_SIDE = 1 << 20

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

# EXIF orientation → quarter turns to the left, and whether to mirror left to right afterwards.
TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}

# Pillow warns of odd EXIF blocks and of large pictures; we have our own limit, and odd EXIF is no fault here. Said once,
# since `warnings.catch_warnings` is not for threads.
warnings.filterwarnings("ignore", module="PIL")
# OpenCV tells the terminal of damage that the caller hears of anyway.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# Libraries keep threads of their own for single pictures; here whole pictures go to threads, and that is faster.
cv2.setNumThreads(1)


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
        found = _turbo(data, least_side, grey)
    elif decoder == "opencv" and data[:3] in (b"\xff\xd8\xff", b"\x89PN"):
        found = _opencv(data, least_side, grey)
    return found or _pillow(data, least_side, grey)


def _turbo(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG in grey or YCbCr, by libjpeg-turbo; None for the others."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):
        return None
    if space not in ("Gray", "YCbCr"):
        return None
    _require_size(width, height)
    wanted = "GRAY" if grey or space == "Gray" else "RGB"
    least = (least_side, least_side) if least_side else (0, 0)
    try:
        pixels = simplejpeg.decode_jpeg(data, wanted, min_height=least[0], min_width=least[1], min_factor=1)
    except ValueError as error:
        raise _damaged(error) from None
    # A look for an EXIF or XMP block costs a few µs, and Pillow's reading of it 40 µs: most files have none.
    orientation = orientation_of_jpeg(data)
    if orientation is None:
        head = _head(data)
        orientation = 1 if head is None else _orientation(head)
    return _upright(pixels, width, height, orientation, "L" if space == "Gray" else "RGB", "JPEG")


def _opencv(data: bytes, least_side: int | None, grey: bool) -> Decoded | None:
    """A JPEG or PNG in 8-bit grey or RGB without transparency, by OpenCV; None for the others."""
    head = _head(data)
    if (
        head is None
        or not _chunks_fit(data)
        or head.mode not in ("L", "RGB")
        or head.has_transparency_data
        or "gamma" in head.info
    ):
        return None
    if head.format == "PNG" and getattr(head, "n_frames", 1) > 1:
        return None
    width, height = head.size
    _require_size(width, height)
    reduction = 1
    if head.format in ("JPEG", "MPO") and least_side:
        reduction = max(factor for factor in (1, 2, 4, 8) if factor == 1 or min(width, height) // factor >= least_side)
    plain = grey or head.mode == "L"
    # OpenCV's flags are `IMREAD_REDUCED_<GRAYSCALE or COLOR>_<factor>`: 8 times the factor, plus 1 for colour.
    flag = (
        {True: cv2.IMREAD_GRAYSCALE, False: cv2.IMREAD_COLOR}[plain] if reduction == 1 else 8 * reduction + (not plain)
    )
    found = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        return None
    pixels = np.asarray(found if plain else cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)
    file_format = "JPEG" if head.format == "MPO" else str(head.format)
    return _upright(pixels, width, height, _orientation(head), head.mode, file_format)


def _pillow(data: bytes, least_side: int | None, grey: bool) -> Decoded:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            _require_size(width, height)
            mode, file_format = opened.mode, opened.format or "unknown"
            if least_side and min(width, height) > least_side:
                share = least_side / min(width, height)
                opened.draft(None, (int(np.ceil(width * share)), int(np.ceil(height * share))))
            opened.load()
            picture = _plain(opened)
            pixels = np.asarray(picture.convert("L") if grey else picture)
            # Last, since counting frames moves on from the first.
            orientation, frames = _orientation(opened), getattr(opened, "n_frames", 1)
    except UnidentifiedImageError:
        raise UnreadableImage("not an image in a known format") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"more than {MAX_PIXELS:,} pixels") from None
    except DAMAGE as error:
        if isinstance(error, UnreadableImage):
            raise
        raise _damaged(error) from None
    if file_format == "MPO":
        # A photograph with another beside it, such as a preview: every other reader takes it for a JPEG.
        file_format, frames = "JPEG", 1
    return _upright(pixels, width, height, orientation, mode, file_format, frames)


def _upright(
    pixels: npt.NDArray[np.uint8],
    width: int,
    height: int,
    orientation: int,
    mode: str,
    file_format: str,
    frames: int = 1,
) -> Decoded:
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if orientation in TURNS:
        turns, mirror = TURNS[orientation]
        pixels = np.rot90(pixels, turns)
        pixels = np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
        if turns % 2:
            width, height = height, width
    return Decoded(pixels, width, height, mode, file_format, frames)


def _require_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_SIDE:
        raise UnreadableImage(f"{width} x {height} pixels, more than {MAX_SIDE:,} on one side")


def _damaged(error: BaseException) -> UnreadableImage:
    """With what the library said, unless that is nothing, or a bare name or number."""
    said = str(error)
    return UnreadableImage(f"damaged: {said if ' ' in said else 'its parts do not fit together'}")


def _chunks_fit(data: bytes) -> bool:
    """Whether the chunks of a PNG, if this is one, lie within the file: OpenCV asks for the memory that their heads promise."""
    position = 8
    while data[:3] == b"\x89PN" and position < len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            break
    return position <= len(data)


def _head(data: bytes) -> Image.Image | None:
    """The file as Pillow opens it, before it reads any pixel; None where it can't."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (*DAMAGE, Image.DecompressionBombError):
        return None


def _orientation(opened: Image.Image) -> int:
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
