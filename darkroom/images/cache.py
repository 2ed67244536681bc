"""The pixel cache: what earlier runs packed of images, by the hashes of their files; and what decides how a file is decoded."""

import hashlib
import shutil
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.arrays import Bools, Int64s, UInt8s
from darkroom.runtime.cache import TableCache

# The code and the packages that decide how an image is measured and packed.
CODE = (
    "decode.py",
    "deep_files.py",
    "depth.py",
    "jpeg.py",
    "measure.py",
    "pillow_decoder.py",
    "pixels.py",
    "samples.py",
    "tiff.py",
)
PACKAGES = ("imagecodecs", "numpy", "opencv-python-headless", "pillow", "pillow-heif", "simplejpeg", "tifffile")

# A row of packed pixels: the file it was made from, and its checksum.
ROWS = pa.schema([("sha256", pa.string()), ("crc32", pa.uint32())])
# The file is started afresh when more than this share of its rows belongs to images that are gone.
MOST_GONE = 0.5


@cache
def decoding_identity(decoder: str) -> str:
    """What decides how a file is decoded: the decoder, the code and the packages."""
    digest = hashlib.sha256()
    for file in CODE:
        digest.update((Path(__file__).parent / file).read_bytes())
    return " ".join([decoder, digest.hexdigest(), *(f"{package}=={version(package)}" for package in PACKAGES)])


class PixelCache:
    """Packed pixels of samples, of one shape, in one file of rows of equal length, and a table of their hashes and CRC-32.

    `select` packs what it looks at, and `preprocess` copies it. Only new rows are written, so the cost follows the change. Rows
    that a killed run wrote behind the last one of the table are overwritten.
    """

    def __init__(self, folder: Path, identity: str, shape: tuple[int, int, int]) -> None:
        """Args:
        folder: `.darkroom/cache/pixels`; it need not exist, and has a folder for each shape.
        identity: what, beside the shape, decides the pixels: the resize rule and how files are decoded.
        shape: of one image, [S, S, C].
        """
        self._folder = folder / "x".join(map(str, shape[1:]))
        self._file = self._folder / "pixels.bin"
        self._tables = TableCache(self._folder / "rows", f"{identity} {shape}")
        self._shape = shape
        self._length = int(np.prod(shape))
        rows = self._tables.load().get("rows", ROWS.empty_table())
        if self._file.exists() and self._file.stat().st_size < len(rows) * self._length:
            print(f"the cache {self._file} is damaged: every image is packed again")
            rows = ROWS.empty_table()
        self._hashes: list[str] = rows["sha256"].to_pylist() if self._file.exists() else []
        self._checksums: list[int] = rows["crc32"].to_pylist() if self._file.exists() else []

    def copy_to(self, hashes: Sequence[str], target: UInt8s) -> Bools:
        """Copy the cached rows to their places.

        Args:
            hashes: SHA-256 of each image's file [N].
            target: uint8 [N, S, S, C], written where a row is in the cache and undamaged.

        Returns:
            bool [N]: which rows were written.
        """
        found = np.full(len(hashes), -1, dtype=np.int64)
        if self._hashes:
            known = pc.index_in(pa.array(hashes, pa.string()), pa.array(self._hashes, pa.string()))
            found = known.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            # As plain arrays: each row of a memmap is a memmap, which takes longer to make than to copy.
            cached = np.asarray(np.memmap(self._file, np.uint8, "r", shape=(len(self._hashes), *self._shape)))
            target = np.asarray(target)
            self._drop_damaged(found, cached)
            whole = np.flatnonzero(found >= 0)
            # Most rows are in their old order, with new ones between; copies of single rows take four times as long.
            breaks = np.flatnonzero((np.diff(whole) != 1) | (np.diff(found[whole]) != 1)) + 1
            for run in np.split(whole, breaks) if len(whole) else ():
                target[run[0] : run[-1] + 1] = cached[found[run[0]] : found[run[-1]] + 1]
        written: Bools = found >= 0
        return written

    def _drop_damaged(self, found: Int64s, cached: UInt8s) -> None:
        """Put -1 in place of each row whose checksum is wrong."""
        content = cached.data.cast("B")
        damaged = 0
        for position in np.flatnonzero(found >= 0).tolist():
            row = int(found[position])
            if zlib.crc32(content[row * self._length : (row + 1) * self._length]) != self._checksums[row]:
                # No file has an empty hash, so the row that is appended instead is found the next time.
                self._hashes[row] = ""
                found[position] = -1
                damaged += 1
        if damaged:
            print(f"{damaged:,} rows of the cache {self._file} are damaged: they are packed again")

    def append(self, hashes: Sequence[str], pixels: UInt8s, checksums: Sequence[int]) -> None:
        """Append rows, uint8 [N, S, S, C], with their `row_checksums`."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("r+b" if self._hashes else "wb") as file:
            file.seek(len(self._hashes) * self._length)
            file.write(np.ascontiguousarray(pixels).data)
        self._hashes += hashes
        self._checksums += checksums

    def save(self) -> None:
        """Write the table of rows."""
        self._tables.save({"rows": pa.table([self._hashes, self._checksums], schema=ROWS)})

    def give_up(self, hashes: Iterable[pa.ChunkedArray]) -> None:
        """Empty the cache where most of its rows are of other images than these, and remove those of other shapes.

        Args:
            hashes: SHA-256 of the file of each image there is, in parts; they are not looked at where the cache is empty.
        """
        for other in self._folder.parent.glob("*x*"):
            if other != self._folder:
                shutil.rmtree(other)
        if not self._hashes:
            return
        cached, there = pa.array(self._hashes, pa.string()), np.zeros(len(self._hashes), dtype=bool)
        for part in hashes:
            there |= pc.is_in(cached, value_set=part.combine_chunks()).to_numpy(zero_copy_only=False)
        if there.sum() < (1 - MOST_GONE) * len(self._hashes):
            self._hashes, self._checksums = [], []
            self._file.unlink()
            self.save()


def row_checksums(pixels: UInt8s) -> list[int]:
    """The CRC-32 of each row of uint8 [N, S, S, C]; apart from `append`, so that threads can compute them."""
    return [zlib.crc32(row.data) for row in np.ascontiguousarray(pixels)]
