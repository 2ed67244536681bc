"""Image files for tests, made here: every format and mode, sound and damaged."""

import io
import random
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pillow_heif
import tifffile
from PIL import Image

ORIENTATION = 0x0112


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def colour(width: int = 20, height: int = 10, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def smooth(width: int = 40, height: int = 24) -> Image.Image:
    """Without edges, so that a lossy format changes it little."""
    down, right = np.linspace(0, 120, height), np.linspace(0, 120, width)
    planes = [np.add.outer(down, right), np.add.outer(down[::-1], right), np.add.outer(down, right[::-1])]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def png(width: int, height: int, depth: int, kind: int, raw: bytes, **chunks: bytes) -> bytes:
    """A PNG of 8 or 16 bits a value, that Pillow can't write: `raw` without filters; kind 0 is grey, 2 RGB, 6 RGBA."""
    line = max(1, len(raw) // height)
    lines = b"".join(b"\0" + raw[start : start + line] for start in range(0, len(raw), line))
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", head), *((name.encode(), body) for name, body in chunks.items())]
    parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def seeds() -> list[bytes]:
    """A small sound file of each format and coding."""
    one, other = colour(), colour(seed=1)
    deep = Image.fromarray(np.random.default_rng(2).integers(0, 65535, (8, 9)).astype(np.uint16))
    return [
        encoded(one, "JPEG"),
        encoded(one, "JPEG", progressive=True),
        encoded(one, "JPEG", exif=turned(6)),
        encoded(one.convert("L"), "JPEG"),
        encoded(one.convert("CMYK"), "JPEG"),
        encoded(one, "PNG"),
        encoded(one.convert("P"), "PNG"),
        encoded(one.convert("RGBA"), "PNG"),
        encoded(deep, "PNG"),
        encoded(one, "PNG", save_all=True, append_images=[other]),
        encoded(one, "WEBP"),
        encoded(one.convert("RGBA"), "WEBP", lossless=True),
        encoded(one, "WEBP", save_all=True, append_images=[other]),
        encoded(one, "GIF"),
        encoded(one, "GIF", save_all=True, append_images=[other]),
        encoded(one, "BMP"),
        encoded(one.convert("P"), "BMP"),
        encoded(one, "TIFF"),
        encoded(one, "TIFF", compression="tiff_lzw"),
        encoded(one, "TIFF", compression="jpeg"),
        encoded(one, "TIFF", save_all=True, append_images=[other]),
        encoded(deep, "TIFF"),
        encoded(one, "AVIF"),
        encoded(one, "JPEG2000"),
        *deep_seeds(),
    ]


def tiff(values: npt.NDArray[Any], **options: Any) -> bytes:
    """A TIFF as `tifffile.imwrite` makes it."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def deep_seeds() -> list[bytes]:
    """A small sound file of each kind that holds other than 8 bits a value, and a HEIC."""
    pillow_heif.register_heif_opener(thumbnails=False)
    values = np.random.default_rng(3).random((9, 12, 3))
    wide = (values * 65535).astype(np.uint16)
    return [
        tiff(values.astype(np.float32), photometric="rgb"),
        tiff(values[..., 0].astype(np.float64), compression="zlib", predictor=True),
        tiff(wide[..., 0], photometric="miniswhite", compression="lzw"),
        tiff(np.moveaxis(wide, 2, 0), photometric="rgb", planarconfig="separate"),
        tiff(wide[..., 0] >> 4, bitspersample=12),
        tiff((values[..., 0] * 255 - 128).astype(np.int8), tile=(16, 16)),
        bytes(imagecodecs.png_encode(wide)),
        bytes(imagecodecs.jpeg2k_encode(wide, level=0)),
        b"P6 12 9 4095\n" + (wide >> 4).astype(">u2").tobytes(),
        encoded(smooth(), "HEIF"),
    ]


def mutated(seed: int, sound: list[bytes]) -> bytes:
    """One of the sound files, damaged: bits, bytes, the header, cut short, or ending as another one does."""
    chance = random.Random(seed)
    content = bytearray(chance.choice(sound))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.randint(1, 4)):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case 1:
            for _ in range(chance.randint(1, 8)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        case 2:
            for _ in range(chance.randint(1, 6)):
                content[chance.randrange(min(len(content), 60))] = chance.choice([0, 127, 128, 255])
        case 3:
            content = content[: chance.randrange(len(content))]
        case 4:
            tail = chance.choice(sound)
            content = content[: chance.randrange(len(content))] + tail[chance.randrange(len(tail)) :]
    return bytes(content)
