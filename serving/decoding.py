"""From the bytes of an upload to the pixels that a model takes; what is too large is refused by its head, before it unfolds."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from darkroom.bundle.bundle import Bundle
from darkroom.images.decode import TooManyPixels, UnreadableImage, out_of_memory, picture_size
from darkroom.runtime.arrays import UInt8s

# Bytes up to which an image is decoded where it arrives: a hand-over to another thread costs more than such a decode.
SMALL = 16 << 10
# And pixels: a JPEG 2000 of 811 bytes may have 49 million, and took two seconds, in which nobody else was answered. So few
# need no room either, and wait for none.
SMALL_PIXELS = 1 << 17


@dataclass(frozen=True)
class Upload:
    """An image as a client sent it.

    Attributes:
        name: the name that the client gave it; empty where it gave none.
        data: the bytes of the file.
    """

    name: str
    data: bytes


@dataclass(frozen=True)
class Decoded:
    """An image that a model can take.

    Attributes:
        pixels: uint8 [S, S, C].
        sha256: of the bytes of the file, in hex.
        size: width and height as its head declares them; None where it does not.
        seconds: that decoding took.
    """

    pixels: UInt8s
    sha256: str
    size: tuple[int, int] | None
    seconds: float


class PixelLimit:
    """Keeps the images that are being decoded at the same time within a number of pixels, so that memory is bounded.

    Args:
        each: pixels of an image, at most.
        at_once: pixels of all images in work, at most; the next one waits.
    """

    def __init__(self, each: int, at_once: int) -> None:
        self._each, self._at_once = each, at_once
        self._in_work = 0
        self._change = threading.Condition()

    @contextmanager
    def decoding(self, size: tuple[int, int] | None) -> Iterator[None]:
        """Wait until there is room for an image of this width and height; a small one needs none.

        Raises:
            TooManyPixels: when it is past the limit by itself.
        """
        pixels = size[0] * size[1] if size else 0
        if size and pixels > self._each:
            raise TooManyPixels(f"{size[0]} x {size[1]} pixels, more than {self._each:,}")
        if pixels <= SMALL_PIXELS:
            yield
            return
        with self._change:
            self._change.wait_for(lambda: self._in_work + pixels <= self._at_once)
            self._in_work += pixels
        try:
            yield
        finally:
            with self._change:
                self._in_work -= pixels
                self._change.notify_all()


def is_quick(data: bytes) -> bool:
    """Whether a file is decoded in less time than a hand-over to another thread is worth: few bytes, and few pixels."""
    if len(data) > SMALL:
        return False
    size = picture_size(data)
    return size is not None and size[0] * size[1] <= SMALL_PIXELS


def decode_upload(upload: Upload, bundle: Bundle, limit: PixelLimit) -> Decoded:
    """Decode an upload as the bundle's model was trained.

    Args:
        upload: an image file.
        bundle: whose preprocessing counts.
        limit: of pixels.

    Raises:
        UnreadableImage: with the reason that ingest would give; `TooManyPixels` past the limit.
    """
    start = time.monotonic()
    size = picture_size(upload.data)
    with limit.decoding(size):
        try:
            pixels = bundle.pixels(upload.data)
        except MemoryError:
            raise out_of_memory() from None
    return Decoded(pixels, hashlib.sha256(upload.data).hexdigest(), size, time.monotonic() - start)


__all__ = ["Decoded", "PixelLimit", "TooManyPixels", "UnreadableImage", "Upload", "decode_upload", "is_quick"]
