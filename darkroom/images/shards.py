"""Shards: the original bytes of many images in a few files."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

SHARD_BYTES = 1 << 20


class ShardWriter:
    """Append images to shards whose ends depend on content alone.

    A shard ends after an image whose hash, read as a number, falls in a share of the range that is in proportion to its
    length, so a shard holds about `SHARD_BYTES` on average. New images therefore change only the shards that they
    fall into, and DVC stores only those again. The name of a shard is the id of its first image.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._name = ""
        self._parts: list[bytes] = []
        self._offset = 0

    def add(self, image_id: str, data: bytes) -> tuple[str, int]:
        """Store one image's bytes; return the shard's name and the offset in it, in bytes."""
        if not self._parts:
            self._name = image_id
        place = (self._name, self._offset)
        self._parts.append(data)
        self._offset += len(data)
        if int.from_bytes(hashlib.sha256(data).digest()[:8], "big") < len(data) / SHARD_BYTES * 2**64:
            self.close()
        return place

    def close(self) -> None:
        """Write the open shard, if there is one."""
        if self._parts:
            (self._folder / f"{self._name}.bin").write_bytes(b"".join(self._parts))
        self._parts, self._offset = [], 0


def read_shards(folder: Path, places: Iterable[tuple[str, int, int]]) -> Iterator[bytes]:
    """The bytes of images at (shard, offset, length), in the order given; neighbours in a shard cost one opening."""
    open_name, content = "", b""
    for name, offset, length in places:
        if name != open_name:
            open_name, content = name, (folder / f"{name}.bin").read_bytes()
        yield content[offset : offset + length]
