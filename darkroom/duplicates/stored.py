"""Arrays in a folder of the cache, written piece by piece and read by row, so that memory does not grow with the images."""

import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from darkroom.runtime.files import read_json, write_json

SUMS = "sums.json"
# Bytes at a time, where a whole file is read for its checksum.
PIECE = 2**24

Array = npt.NDArray[Any]


class StoredArrays:
    """Arrays by name, whose rows are all of one type; rows are appended, and read from anywhere."""

    def __init__(self, folder: Path, types: dict[str, np.dtype[Any]]) -> None:
        """Args:
        folder: of the files; it need not exist.
        types: of a row of each array.
        """
        self._folder, self._types = folder, types
        self._files: dict[str, BinaryIO] = {}
        self._crcs = dict.fromkeys(types, 0)

    def is_whole(self, identity: str) -> bool:
        """Whether the arrays are there as they were sealed, with this identity; a damaged one is printed."""
        if not self._folder.exists():
            return False
        try:
            sums = read_json(self._folder / SUMS)
            if sums["identity"] != identity:
                return False
            whole = all(_crc(self._folder / name) == sums["crc32"][name] for name in self._types)
        except (OSError, ValueError, LookupError, TypeError):
            whole = False
        if not whole:
            print(f"the cache {self._folder} is damaged: it is computed again")
        return whole

    def append(self, name: str, rows: Array) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._folder / name).open("w+b")
        content = np.ascontiguousarray(rows, self._types[name].base).reshape(-1).view(np.uint8).data
        self._crcs[name] = zlib.crc32(content, self._crcs[name])
        file.write(content)

    def read(self, name: str, start: int = 0, end: int | None = None) -> Array:
        """Rows `start` to `end`, in memory."""
        if name in self._files:
            self._files[name].flush()
        kind = self._types[name]
        count = -1 if end is None else end - start
        return np.fromfile(self._folder / name, kind, count, offset=start * kind.itemsize)

    def seal(self, identity: str) -> None:
        """Close the files and write their checksums."""
        for file in self._files.values():
            file.close()
        self._files = {}
        write_json(self._folder / SUMS, {"identity": identity, "crc32": self._crcs})


def _crc(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found = zlib.crc32(piece, found)
    return found
