"""The images in Parquet files, a row group at a time, so that no file is ever whole in memory."""

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.runtime.arrays import Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.archive import scratch_file
from darkroom.sources.columns import UNREADABLE, damaged_group

# Row groups cached in memory for the rows read next.
CACHED_BYTES = 256 << 20

# A Parquet file, and a row group in it, counted from 0.
Place = tuple[Path, int]


class RowGroups:
    """Reads the column `image.bytes` of Parquet files, from any thread.

    Images that are read roughly in the order of their rows come from row groups in memory. Where names put them in
    another order, and all are too many for it, each read would cost a row group: then the first one unpacks all of them to a
    temporary file, once.
    """

    def __init__(self) -> None:
        self._cached: OrderedDict[Place, pa.Array] = OrderedDict()
        self._lock = threading.Lock()
        self._scattered: list[Place] = []
        self._bytes = 0
        self._unpacked: tuple[IO[bytes], dict[Place, Int64s]] | None = None

    def expect(self, order: list[Place], total_bytes: int) -> None:
        """Say in which order images will be read, as the place of each, and how many bytes their row groups have in all."""
        places = sorted(set(order))
        switches = sum(one != other for one, other in pairwise(order))
        if total_bytes > CACHED_BYTES and switches > 2 * len(places):
            self._scattered, self._bytes = places, total_bytes

    def read(self, place: Place, row: int) -> bytes:
        """The image in a row of a row group, counted from 0, that is not null.

        Raises:
            OSError: when the file can't be read.
            DarkroomError: when there is no room to unpack the images.
        """
        if not self._scattered:
            data: bytes = self._group(place)[row].as_py()
            return data
        with self._lock:
            file, starts = self._unpacked = self._unpacked or self._unpack()
        start, end = starts[place][row : row + 2].tolist()
        return os.pread(file.fileno(), end - start, start)

    def _group(self, place: Place) -> pa.Array:
        with self._lock:
            images = self._cached.get(place)
            if images is None:
                images = self._cached[place] = _load(place)
                while len(self._cached) > 1 and sum(group.nbytes for group in self._cached.values()) > CACHED_BYTES:
                    self._cached.popitem(last=False)
            self._cached.move_to_end(place)
        return images

    def _unpack(self) -> tuple[IO[bytes], dict[Place, Int64s]]:
        file = scratch_file(self._bytes, self._scattered[0][0])
        starts = {}
        for place in self._scattered:
            offsets, data = _buffers(_load(place))
            starts[place] = offsets - offsets[0] + file.tell()
            file.write(data[offsets[0] : offsets[-1]])
        file.flush()
        return file, starts


def image_stamps(file: Path, groups: int) -> Iterator[tuple[int, int, str | None, str | None]]:
    """Row group, row in it, `image.path` and stamp of each row; the stamp is the image's CRC-32 and length, None for a null.

    Raises:
        DarkroomError: when the file is damaged.
    """
    for group in range(groups):
        try:
            images = _load((file, group))
            names = _column((file, group), "path").to_pylist()
        except UNREADABLE as error:
            raise DarkroomError(f"{printable(str(file))}: {damaged_group(group, groups, error)}") from None
        if len(images) != len(names):
            raise DarkroomError(
                f"{printable(str(file))} is damaged: {len(images)} images have {len(names)} names; fetch it again"
            )
        offsets, data = _buffers(images)
        bounds = pairwise(offsets.tolist())
        for row, (name, (start, end), valid) in enumerate(
            zip(names, bounds, images.is_valid().to_pylist(), strict=True)
        ):
            yield group, row, name, f"crc32:{zlib.crc32(data[start:end]):08x}:{end - start}" if valid else None


def _load(place: Place) -> pa.Array:
    """The images of a row group, as one array of bytes."""
    return _column(place, "bytes").cast(pa.large_binary()).combine_chunks()


def _buffers(images: pa.Array) -> tuple[Int64s, memoryview]:
    """Where each image starts in the bytes of all, int64 [N + 1], and these."""
    _, offsets, data = images.buffers()
    starts = np.frombuffer(offsets, np.int64, len(images) + 1, images.offset * 8)
    return starts, memoryview(data) if data is not None else memoryview(b"")


def _column(place: Place, field: str) -> pa.ChunkedArray:
    """A field of the column `image` in one row group; of nothing but nulls where there is no such field."""
    import pyarrow.compute as pc

    file, group = place
    try:
        with pq.ParquetFile(file) as opened:
            if opened.schema_arrow.field("image").type.get_field_index(field) < 0:
                return pa.chunked_array([pa.nulls(opened.metadata.row_group(group).num_rows, pa.string())])
            return pc.struct_field(opened.read_row_group(group, columns=[f"image.{field}"])["image"], field)
    except UNREADABLE as error:
        raise OSError(f"row group {group + 1:,} of {file.name}: {' '.join(str(error).split())}") from None
