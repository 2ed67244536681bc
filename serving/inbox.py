"""What a correction needs beside the inbox: its image, held for a while after its answer, and decoded before it is stored."""

import threading
from collections import OrderedDict
from pathlib import Path

from darkroom.images.decode import decode
from darkroom.labels.inbox import SUFFIXES, Correction, Inbox
from darkroom.model.spec import Preprocessing
from serving.recorder import Room


class Recent:
    """The bytes of images that were answered last, so that a correction need not send its image again; in memory alone.

    Args:
        most_bytes: of all images; the oldest make room.
    """

    def __init__(self, most_bytes: int = 64 << 20) -> None:
        self._most_bytes = most_bytes
        self._images: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, sha256: str, data: bytes) -> None:
        """Hold an image that was answered."""
        with self._lock:
            self._bytes += len(data) - len(self._images.pop(sha256, b""))
            self._images[sha256] = data
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._images.popitem(last=False)[1])

    def get(self, sha256: str) -> bytes | None:
        """An image by its hash; None where it is held no longer."""
        with self._lock:
            return self._images.get(sha256)


class Corrections:
    """The inbox, for images that clients send.

    Args:
        folder, most_images, most_bytes: as of `darkroom.labels.inbox.Inbox`.
        room: as `serving.decoding.DecodingLimit.decoding`.

    Raises:
        DarkroomError: when the folder can't be written to, or its tables are damaged.
    """

    def __init__(self, folder: Path, most_images: int, most_bytes: int, room: Room) -> None:
        self._inbox, self._room = Inbox(folder, most_images, most_bytes), room

    def add(self, data: bytes, sha256: str, correction: Correction, preprocessing: Preprocessing) -> str:
        """Store an image with its class.

        Args:
            data, sha256, correction: as for `Inbox.add`.
            preprocessing: of the model, for whose data it is.

        Returns:
            Its path in the inbox.

        Raises:
            UnreadableImage: when it is none that `ingest` would take; `TooManyPixels` past the limit.
            InboxFull, OSError, DarkroomError: as `Inbox.add` does.
        """
        with self._room(data):
            decoded = decode(data, preprocessing.decoder, least_side=1, grey=True, depth=preprocessing.depth)
        return self._inbox.add(data, sha256, SUFFIXES.get(decoded.format, "img"), correction)
