"""Rows of pixels that were packed before, by the hash of the file that they came from."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.pixels import UInt8s
from darkroom.runtime.cache import KeptTables

ROWS = pa.schema([("sha256", pa.string()), ("crc32", pa.uint32())])
# When more than this share of the rows belongs to images that are gone, the file is begun anew.
MOST_GONE = 0.5


class SeenPixels:
    """One file of rows of equal length, which only grows, and a table that names them and knows their CRC-32.

    Only what is new is written, so the cost of keeping follows the change. Rows that a killed run has left behind the last
    named one are overwritten.
    """

    def __init__(self, folder: Path, identity: str, shape: tuple[int, int, int]) -> None:
        """Args:
        folder: `.darkroom/seen/pixels`; it need not exist.
        identity: what, beside the shape, made the pixels: the rule and how files are opened.
        shape: of one image, [S, S, C].
        """
        self._file = folder / "pixels.bin"
        self._tables = KeptTables(folder / "rows", f"{identity} {shape}")
        self._shape = shape
        self._length = int(np.prod(shape))
        rows = self._tables.load().get("rows", ROWS.empty_table())
        if self._file.exists() and self._file.stat().st_size < len(rows) * self._length:
            print(f"what was kept in {self._file} is damaged: every image is packed again")
            rows = ROWS.empty_table()
        self._hashes: list[str] = rows["sha256"].to_pylist() if self._file.exists() else []
        self._sums: list[int] = rows["crc32"].to_pylist() if self._file.exists() else []
        self._asked = 0

    def take(self, hashes: Sequence[str], target: UInt8s) -> npt.NDArray[np.bool_]:
        """Copy the rows that are known to where they belong.

        Args:
            hashes: SHA-256 of each image's file [N].
            target: uint8 [N, S, S, C], written where a row is known and whole.

        Returns:
            bool [N]: which rows were written.
        """
        found = np.full(len(hashes), -1, dtype=np.int64)
        if self._hashes:
            known = pc.index_in(pa.array(hashes, pa.string()), pa.array(self._hashes, pa.string()))
            found = known.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            # As plain arrays: each row of a memmap is a memmap, which takes longer to make than to copy.
            kept = np.asarray(np.memmap(self._file, np.uint8, "r", shape=(len(self._hashes), *self._shape)))
            target = np.asarray(target)
            self._leave_damaged(found, kept)
            whole = np.flatnonzero(found >= 0)
            # Most rows lie as they lay before, with new ones between; copies of single rows take four times as long.
            breaks = np.flatnonzero((np.diff(whole) != 1) | (np.diff(found[whole]) != 1)) + 1
            for run in np.split(whole, breaks) if len(whole) else ():
                target[run[0] : run[-1] + 1] = kept[found[run[0]] : found[run[-1]] + 1]
        written: npt.NDArray[np.bool_] = found >= 0
        self._asked += int(written.sum())
        return written

    def _leave_damaged(self, found: npt.NDArray[np.int64], kept: UInt8s) -> None:
        """Put -1 in the place of each row found that is not as it was written."""
        content = kept.data.cast("B")
        damaged = 0
        for position in np.flatnonzero(found >= 0).tolist():
            row = int(found[position])
            if zlib.crc32(content[row * self._length : (row + 1) * self._length]) != self._sums[row]:
                # Nothing has this name, so that the row which is appended in its place is found the next time.
                self._hashes[row] = ""
                found[position] = -1
                damaged += 1
        if damaged:
            print(f"{damaged:,} rows of what was kept in {self._file} are damaged: they are packed again")

    def keep(self, hashes: Sequence[str], pixels: UInt8s, sums: Sequence[int]) -> None:
        """Append rows, uint8 [N, S, S, C], with their `row_sums`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("r+b" if self._hashes else "wb") as file:
            file.seek(len(self._hashes) * self._length)
            file.write(np.ascontiguousarray(pixels).data)
        self._hashes += hashes
        self._sums += sums
        self._asked += len(hashes)

    def save(self) -> None:
        """Name the rows that were appended. Where most belong to images that nobody asked for, all are given up."""
        if self._asked < (1 - MOST_GONE) * len(self._hashes):
            self._hashes, self._sums = [], []
            self._file.unlink()
        self._tables.save({"rows": pa.table([self._hashes, self._sums], schema=ROWS)})


def row_sums(pixels: UInt8s) -> list[int]:
    """The CRC-32 of each row of uint8 [N, S, S, C]; apart from `keep`, so that threads can work them out."""
    return [zlib.crc32(row.data) for row in np.ascontiguousarray(pixels)]
