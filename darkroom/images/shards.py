"""Shards: the original bytes of many images in a few files, divided by content alone, so that an insertion changes one."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from darkroom.runtime.cuts import LocalMinima

# A shard holds 25 images on average. Fewer make more files, which cost DVC some 0.4 ms each; more make an insertion cost more:
# with 1% new images in 20 places of a list of 60,000, this rewrites 2% of the bytes.
WINDOW = 12

Place = tuple[str, int, int]


class PreviousShards:
    """The shards of the previous run, where their checksums are right."""

    def __init__(self, folder: Path, checksums: dict[str, int]) -> None:
        """Args:
        folder: it need not exist.
        checksums: name → CRC-32 of each shard.
        """
        self._folder = folder
        self._checksums = checksums
        self._open: tuple[str, bytes | None] = ("", None)

    def read(self, name: str) -> bytes | None:
        """A whole shard; None where it is gone, or is damaged, which is printed."""
        if name != self._open[0]:
            self._open = (name, self._read(name))
        return self._open[1]

    def _read(self, name: str) -> bytes | None:
        path = self.path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if zlib.crc32(content) != self._checksums.get(name):
            print(f"{path} is damaged: its images are read again")
            return None
        return content

    def path(self, name: str) -> Path:
        """The path of a shard, present or not."""
        return self._folder / f"{name}.bin"


@dataclass(frozen=True)
class KnownImage:
    """An image whose bytes are in a shard of the previous run.

    Attributes:
        place: shard, offset and length there.
        read: gives the bytes from the source, where that shard is gone.
    """

    place: Place
    read: Callable[[], bytes]


class ShardWriter:
    """Write images, which come sorted by path, to shards whose ends depend on content alone.

    A shard ends where the ids have a local minimum, so that new images rewrite only the shards that they fall into; its name
    is the id of its first image. A shard with the same images as before stays the same file, for which DVC has
    nothing to do. Memory: the images of a shard and of the `WINDOW` places after it.

    Attributes:
        names: of the shard of each image, in the order of adding; complete after `close`.
        offsets: in its shard, in bytes; in the same order.
        checksums: name → CRC-32 of each shard.
    """

    def __init__(self, folder: Path, previous: PreviousShards) -> None:
        """Args:
        folder: to make and fill.
        previous: the shards that hold the bytes of known images.
        """
        folder.mkdir()
        self._folder = folder
        self._previous = previous
        self._minima = LocalMinima(WINDOW)
        self._pending: list[tuple[str, bytes | KnownImage]] = []
        self._finished = 0
        self.names: list[str] = []
        self.offsets: list[int] = []
        self.checksums: dict[str, int] = {}

    def add(self, image_id: str, content: bytes | KnownImage) -> None:
        """Add the next image."""
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
        pieces = [content if isinstance(content, bytes) else self._bytes_of(content) for _, content in images]
        offset = 0
        for piece in pieces:
            self.names.append(name)
            self.offsets.append(offset)
            offset += len(piece)
        target = self._folder / f"{name}.bin"
        self.checksums[name] = reduce(lambda checksum, piece: zlib.crc32(piece, checksum), pieces, 0)
        if all(isinstance(content, KnownImage) for _, content in images) and self._previous.read(name) == b"".join(
            pieces
        ):
            with suppress(OSError):  # Some file systems have no links.
                os.link(self._previous.path(name), target)
                return
        with target.open("wb") as file:
            file.writelines(pieces)

    def _bytes_of(self, known: KnownImage) -> bytes:
        shard, offset, length = known.place
        content = self._previous.read(shard)
        return known.read() if content is None else content[offset : offset + length]


def read_shards(folder: Path, places: Iterable[Place]) -> Iterator[bytes]:
    """The bytes of images at (shard, offset, length), in the order given; neighbours in a shard cost one opening."""
    open_name, content = "", b""
    for name, offset, length in places:
        if name != open_name:
            open_name, content = name, (folder / f"{name}.bin").read_bytes()
        yield content[offset : offset + length]
