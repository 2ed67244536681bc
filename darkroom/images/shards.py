"""Shards: the original bytes of many images in a few files, divided by content alone, so that an insertion changes few."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

# Bytes. A file costs DVC some 0.4 ms, so that it holds many small images; what a new image rewrites is one file, and the
# memory that it takes to write one.
LEAST, MOST = 8 << 20, 64 << 20

Place = tuple[str, int, int]


class ShardMark(NamedTuple):
    """By what a shard is known again: without a look into it, where its length and time are these, else by its CRC-32."""

    bytes: int
    mtime_ns: int
    crc32: int


class PreviousShards:
    """The shards of the previous run, where they are what it wrote."""

    def __init__(self, folder: Path, marks: Mapping[str, ShardMark]) -> None:
        """Args:
        folder: it need not exist.
        marks: name → what it was when it was written.
        """
        self._folder = folder
        self._marks = marks
        self._open: tuple[str, bytes | None] = ("", None)

    def is_whole(self, name: str) -> bool:
        """Whether a shard is there and unchanged; it is read only where its time is another one, as after `dvc pull`."""
        mark = self._marks.get(name)
        try:
            status = self.path(name).stat()
        except OSError:
            return False
        if mark is None or status.st_size != mark.bytes:
            return False
        return status.st_mtime_ns == mark.mtime_ns or zlib.crc32(self.path(name).read_bytes()) == mark.crc32

    def mark(self, name: str) -> ShardMark | None:
        """What a shard was when it was written; None where there was none of that name."""
        return self._marks.get(name)

    def read(self, name: str) -> bytes | None:
        """A whole shard; None where it is gone, or is damaged, which is printed."""
        if name != self._open[0]:
            self._open = ("", None)  # two would be in memory
            self._open = (name, self._read(name))
        return self._open[1]

    def _read(self, name: str) -> bytes | None:
        path, mark = self.path(name), self._marks.get(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if mark is None or zlib.crc32(content) != mark.crc32:
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

    Once it has `LEAST` bytes, a shard ends after each image with a chance of its bytes in `LEAST`, which its id draws, so that
    all have some 16 MiB; and before the image with which it would have more than `MOST`. After a new image the ends are soon
    those of before (Xia et al. 2016, "FastCDC"). A shard is named by the id of its first image, in a folder by the first two
    digits. One with the same images as before stays the same file, for which DVC has nothing to do. Memory: a shard's bytes.

    Attributes:
        names: of the shard of each image, in the order of adding; complete after `close`.
        offsets: in its shard, in bytes; in the same order.
        marks: name → what the shard is known by.
    """

    def __init__(self, folder: Path, previous: PreviousShards) -> None:
        """Args:
        folder: to fill; it may hold shards of other ranges.
        previous: the shards that hold the bytes of known images.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._previous = previous
        self._pending: list[tuple[str, bytes | KnownImage]] = []
        self._bytes = 0
        self.names: list[str] = []
        self.offsets: list[int] = []
        self.marks: dict[str, ShardMark] = {}

    def add(self, image_id: str, content: bytes | KnownImage) -> None:
        """Add the next image."""
        length = len(content) if isinstance(content, bytes) else content.place[2]
        if self._bytes + length > MOST:
            self.close()
        self._pending.append((image_id, content))
        self._bytes += length
        if self._bytes >= LEAST and int(image_id, 16) * LEAST < length << 64:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if not self._pending:
            return
        name = shard_name(self._pending[0][0])
        offset, in_place = 0, True
        for _, content in self._pending:
            self.names.append(name)
            self.offsets.append(offset)
            in_place &= isinstance(content, KnownImage) and content.place[:2] == (name, offset)
            offset += len(content) if isinstance(content, bytes) else content.place[2]
        target = self._folder / f"{name}.bin"
        target.parent.mkdir(exist_ok=True)
        # Of a killed worker, or the last run's by a second link, which must not be written through.
        target.unlink(missing_ok=True)
        self.marks[name] = (in_place and self._link(name, offset, target)) or self._write(target)
        self._pending, self._bytes = [], 0

    def _link(self, name: str, length: int, target: Path) -> ShardMark | None:
        """Have a shard that did not change in the new folder as well; None where that can't be."""
        mark = self._previous.mark(name)
        if mark is None or mark.bytes != length or not self._previous.is_whole(name):
            return None
        with suppress(OSError):  # Some file systems have no links.
            os.link(self._previous.path(name), target)
            return mark._replace(mtime_ns=target.stat().st_mtime_ns)
        return None

    def _write(self, target: Path) -> ShardMark:
        pieces = [content if isinstance(content, bytes) else self._bytes_of(content) for _, content in self._pending]
        with target.open("wb") as file:
            file.writelines(pieces)
        status = target.stat()
        checksum = reduce(lambda checksum, piece: zlib.crc32(piece, checksum), pieces, 0)
        return ShardMark(status.st_size, status.st_mtime_ns, checksum)

    def _bytes_of(self, known: KnownImage) -> bytes:
        shard, offset, length = known.place
        content = self._previous.read(shard)
        return known.read() if content is None else content[offset : offset + length]


def shard_name(first: str) -> str:
    """`<2 digits>/<id>`, by the id of its first image: a folder of a hundred thousand files is slow to list."""
    return f"{first[:2]}/{first}"


def read_shards(folder: Path, places: Iterable[Place]) -> Iterator[bytes]:
    """The bytes of images at (shard, offset, length), in the order given; neighbours in a shard cost one opening."""
    open_name, file = "", None
    try:
        for name, offset, length in places:
            if file is None or name != open_name:
                if file:
                    file.close()
                open_name, file = name, (folder / f"{name}.bin").open("rb")
            file.seek(offset)
            yield file.read(length)
    finally:
        if file:
            file.close()
