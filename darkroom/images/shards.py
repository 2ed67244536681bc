"""Shards: the original bytes of many images in a few files."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from darkroom.images.chunks import LocalMinima

# A shard holds 25 images on average. Fewer make more files, which cost DVC some 0.4 ms each; more make an insertion cost more:
# with 1% new images in 20 places of a list of 60,000, this rewrites 2% of the bytes.
WINDOW = 12

Place = tuple[str, int, int]


class ShardsBefore:
    """The shards of the run before, as far as they are what was written."""

    def __init__(self, folder: Path, sums: dict[str, int]) -> None:
        """Args:
        folder: it need not exist.
        sums: name → CRC-32 of each shard.
        """
        self._folder = folder
        self._sums = sums
        self._open: tuple[str, bytes | None] = ("", None)

    def read(self, name: str) -> bytes | None:
        """A whole shard; None where it is gone or is not what was written, which is said."""
        if name != self._open[0]:
            self._open = (name, self._read(name))
        return self._open[1]

    def _read(self, name: str) -> bytes | None:
        path = self.path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if zlib.crc32(content) != self._sums.get(name):
            print(f"{path} is not what was written: its images are read again")
            return None
        return content

    def path(self, name: str) -> Path:
        """Where a shard lies, or would."""
        return self._folder / f"{name}.bin"


@dataclass(frozen=True)
class Known:
    """An image whose bytes are in a shard of the run before.

    Attributes:
        place: shard, offset and length there.
        read: gives the bytes from the source, where that shard is gone.
    """

    place: Place
    read: Callable[[], bytes]


class ShardWriter:
    """Write images, which come sorted by path, to shards whose ends depend on content alone.

    A shard ends where the ids have a local minimum, so that new images rewrite only the shards that they fall into; its name
    is the id of its first image. A shard with the same images as before stays the same file: DVC then has nothing to do
    for it. Memory: the images of a shard and of the `WINDOW` places after it.

    Attributes:
        names: of the shard of each image, in the order of adding; complete after `close`.
        offsets: likewise, in bytes.
        sums: name → CRC-32 of each shard.
    """

    def __init__(self, folder: Path, before: ShardsBefore) -> None:
        """Args:
        folder: to make and fill.
        before: where the bytes of known images are.
        """
        folder.mkdir()
        self._folder = folder
        self._before = before
        self._minima = LocalMinima(WINDOW)
        self._pending: list[tuple[str, bytes | Known]] = []
        self._finished = 0
        self.names: list[str] = []
        self.offsets: list[int] = []
        self.sums: dict[str, int] = {}

    def add(self, image_id: str, content: bytes | Known) -> None:
        """Take the next image."""
        self._pending.append((image_id, content))
        if (last := self._minima.add(image_id)) is not None:
            self._write(last + 1 - self._finished)

    def close(self) -> None:
        """Write what is left."""
        if self._pending:
            self._write(len(self._pending))

    def _write(self, count: int) -> None:
        images, self._pending = self._pending[:count], self._pending[count:]
        self._finished += count
        name = images[0][0]
        parts = [content if isinstance(content, bytes) else self._bytes_of(content) for _, content in images]
        offset = 0
        for part in parts:
            self.names.append(name)
            self.offsets.append(offset)
            offset += len(part)
        data = b"".join(parts)
        target = self._folder / f"{name}.bin"
        self.sums[name] = zlib.crc32(data)
        if all(isinstance(content, Known) for _, content in images) and self._before.read(name) == data:
            with suppress(OSError):  # Some file systems have no links.
                os.link(self._before.path(name), target)
                return
        target.write_bytes(data)

    def _bytes_of(self, known: Known) -> bytes:
        shard, offset, length = known.place
        content = self._before.read(shard)
        return known.read() if content is None else content[offset : offset + length]


def read_shards(folder: Path, places: Iterable[Place]) -> Iterator[bytes]:
    """The bytes of images at (shard, offset, length), in the order given; neighbours in a shard cost one opening."""
    open_name, content = "", b""
    for name, offset, length in places:
        if name != open_name:
            open_name, content = name, (folder / f"{name}.bin").read_bytes()
        yield content[offset : offset + length]
