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
from serving.decoding_memory import JPEG2000_PIXELS, decoding_bytes, is_jpeg2000

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


class DecodingLimit:
    """Keeps the memory of the images that are being decoded at the same time within a bound.

    Args:
        pixels: of an image, at most; a twelfth for JPEG 2000.
        memory: bytes for all images in work, at most; the next one waits.
    """

    def __init__(self, pixels: int, memory: int) -> None:
        self._pixels, self._memory = pixels, memory
        self._in_work = 0
        self._change = threading.Condition()

    @contextmanager
    def decoding(self, data: bytes) -> Iterator[tuple[int, int] | None]:
        """Wait until there is room to decode an image file; a small one needs none. Gives its width and height.

        Raises:
            TooManyPixels: when it is past a limit by itself.
        """
        size = picture_size(data)
        pixels = size[0] * size[1] if size else 0
        if pixels <= SMALL_PIXELS and pixels <= self._pixels:
            yield size
            return
        need = self._require(data, pixels, f"{size[0]} x {size[1]}" if size else "")
        with self._change:
            self._change.wait_for(lambda: self._in_work + need <= self._memory)
            self._in_work += need
        try:
            yield size
        finally:
            with self._change:
                self._in_work -= need
                self._change.notify_all()

    def _require(self, data: bytes, pixels: int, shape: str) -> int:
        """Bytes of memory that decoding takes."""
        if pixels > self._pixels:
            raise TooManyPixels(f"{shape} pixels, more than {self._pixels:,}")
        if is_jpeg2000(data) and pixels > self._pixels // JPEG2000_PIXELS:
            raise TooManyPixels(
                f"{shape} pixels of JPEG 2000, more than {self._pixels // JPEG2000_PIXELS:,}: nobody else would be answered "
                "while it is decoded; send it in another form"
            )
        need = decoding_bytes(data, pixels)
        if need > self._memory:
            raise TooManyPixels(
                f"{shape} pixels in this form take {need / 1e6:,.0f} MB while they are decoded, more than "
                f"{self._memory / 1e6:,.0f} MB"
            )
        return need


def is_quick(data: bytes) -> bool:
    """Whether a file is decoded in less time than a hand-over to another thread is worth: few bytes, and few pixels."""
    if len(data) > SMALL:
        return False
    size = picture_size(data)
    return size is not None and size[0] * size[1] <= SMALL_PIXELS


def decode_upload(upload: Upload, bundle: Bundle, limit: DecodingLimit) -> Decoded:
    """Decode an upload as the bundle's model was trained.

    Args:
        upload: an image file.
        bundle: whose preprocessing counts.
        limit: of pixels and memory.

    Raises:
        UnreadableImage: with the reason that ingest would give; `TooManyPixels` past the limit.
    """
    start = time.monotonic()
    with limit.decoding(upload.data) as size:
        try:
            pixels = bundle.pixels(upload.data)
        except MemoryError:
            raise out_of_memory() from None
    return Decoded(pixels, hashlib.sha256(upload.data).hexdigest(), size, time.monotonic() - start)


__all__ = ["Decoded", "DecodingLimit", "TooManyPixels", "UnreadableImage", "Upload", "decode_upload", "is_quick"]
