"""What decoding an image costs: bytes of memory, by the first bytes of its file, before any pixel is read."""

import ctypes
import platform

from darkroom.images.jpeg import MAGIC

# Bytes a pixel, as the peak of a process showed with 25 megapixels of each kind, rounded up; with the picture that comes out.
PNG_COLOURS = {0: 4, 2: 8, 3: 5, 4: 6, 6: 9}
DEEP_PNG = 16
BASELINE_JPEG, PROGRESSIVE_JPEG = 1, 6  # the latter holds all its coefficients, two bytes each
WEBP, AVIF, JPEG2000, TIFF, OTHER = 17, 12, 20, 12, 9

# A pixel of JPEG 2000 counts as so many against the limit of pixels: Pillow holds the interpreter while it decodes one, so that
# nobody else is answered: 49 megapixels took seconds, 4 take a fifth of one.
JPEG2000_PIXELS = 12

# From glibc's malloc.h, and bytes.
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 4 << 20

FRAMES = range(0xC0, 0xD0)
NO_FRAMES = (0xC4, 0xC8, 0xCC)
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


def give_back_large_blocks() -> None:
    """Give freed blocks of 4 MiB and more back to the system at once, from here to the end of the process; glibc alone.

    By default a thread keeps blocks of up to 32 MiB once it has freed some: two PNG of 49 megapixels that were decoded one
    after the other, in two threads, took 562 MB together, and with this 354.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def decoding_bytes(data: bytes, pixels: int) -> int:
    """Bytes of memory that an image takes at most while it is decoded.

    Args:
        data: the file.
        pixels: that its head declares.
    """
    return pixels * _bytes_a_pixel(data)


def is_jpeg2000(data: bytes) -> bool:
    """Whether a file is JPEG 2000: a code stream, or one in a box."""
    return data[:4] == b"\xff\x4f\xff\x51" or data[4:8] == b"jP  "


def _bytes_a_pixel(data: bytes) -> int:
    if data[:3] == MAGIC:
        return PROGRESSIVE_JPEG if _is_progressive(data) else BASELINE_JPEG
    if data[:4] == b"\x89PNG" and len(data) > 25:
        return DEEP_PNG if data[24] == 16 else PNG_COLOURS.get(data[25], DEEP_PNG)
    if data[:4] == b"RIFF":
        return WEBP
    if is_jpeg2000(data):
        return JPEG2000
    if data[:2] in (b"II", b"MM"):
        return TIFF
    return AVIF if data[4:8] == b"ftyp" else OTHER


def _is_progressive(data: bytes) -> bool:
    """By the marker of its frame (ISO 10918-1, table B.1); yes where there is none to be found."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in FRAMES and marker not in NO_FRAMES:
            return marker in PROGRESSIVE
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return True
