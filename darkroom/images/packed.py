"""The packed images of a split: a file for each range, and the list of them; read as one array."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Images, Int64s, UInt8s
from darkroom.runtime.files import file_hash, write_json
from darkroom.runtime.inputs import read_input_json

RECEIPT = "receipt.json"


class PackedImages:
    """The images of several ranges as one uint8 array [N, S, S, C], on disk; what is asked for is copied into memory.

    Attributes:
        shape, dtype, nbytes: as those of the whole array.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, parts: Sequence[UInt8s]) -> None:
        """Args:
        parts: uint8 [n, S, S, C] each, memory-mapped; at least one.
        """
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *parts[0].shape[1:])
        self.nbytes = int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[UInt8s]:
        for part in self._parts:
            yield from part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __getitem__(self, rows: Any, /) -> UInt8s:
        """One image by a number; or copies of several, by a slice, by numbers int64 [n] in any order, or by bool [N].

        Of a tuple the first is taken of the rows, and the others of the array that this gives.
        """
        if isinstance(rows, tuple):
            first, *others = rows
            whole = self[first]
            inner = others if isinstance(first, int | np.integer) else (slice(None), *others)
            return np.asarray(whole[tuple(inner)])
        if isinstance(rows, int | np.integer):
            number = range(len(self))[rows]
            part = int(np.searchsorted(self._starts, number, "right")) - 1
            return np.asarray(self._parts[part][number - self._starts[part]])
        return self._copied(np.arange(len(self))[rows])

    def _copied(self, numbers: Int64s) -> UInt8s:
        found = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        part_of = np.searchsorted(self._starts, numbers, "right") - 1
        for part in np.unique(part_of):
            places = np.flatnonzero(part_of == part)
            found[places] = self._parts[part][numbers[places] - self._starts[part]]
        return found


@dataclass(frozen=True)
class PackedRange:
    """A range, as `receipt.json` lists it, in the order of the images.

    Attributes:
        name: of its file, `<name>.npy`: the id of its first image.
        images: how many.
        sha256: of the file.
    """

    name: str
    images: int
    sha256: str


def write_receipt(ranges: Sequence[PackedRange], folder: Path) -> None:
    """Write the receipt of a split: its ranges, and the hash of all that its arrays hold, so that no reader hashes pixels.

    Args:
        ranges: in the order of the images.
        folder: of the split, with labels.npy and ids.npy.
    """
    hashes = [each.sha256 for each in ranges] + [file_hash(folder / name) for name in ("labels.npy", "ids.npy")]
    sha256 = hashlib.sha256(bytes.fromhex("".join(hashes))).hexdigest()
    content = {
        "images": sum(each.images for each in ranges),
        "sha256": sha256,
        "ranges": [asdict(each) for each in ranges],
    }
    write_json(folder / RECEIPT, content)


def open_ranges(folder: Path) -> Images:
    """The images of a split, memory-mapped.

    Raises:
        FileNotFoundError: when there are none.
        ValueError: when a file has another form than the list says; what NumPy raises of a damaged one.
    """
    listed = [PackedRange(**each) for each in read_input_json(folder / RECEIPT, {"ranges": list})["ranges"]]
    parts = [np.load(folder / f"{each.name}.npy", mmap_mode="r") for each in listed]
    for each, part in zip(listed, parts, strict=True):
        if (part.dtype, part.ndim, len(part)) != (np.uint8, 4, each.images) or part.shape[1:] != parts[0].shape[1:]:
            raise ValueError(
                f"{each.name}.npy has {part.dtype} {list(part.shape)}, and uint8 with 4 axes for {each.images:,} images is "
                "needed"
            )
    return parts[0] if len(parts) == 1 else PackedImages(parts)
