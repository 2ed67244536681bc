"""The packed images of a split, as preprocess wrote them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

UInt8s = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Packed:
    """The images of one split.

    Attributes:
        images: uint8 [N, S, S, C], memory-mapped.
        labels: int64 [N], positions in the class list.
        ids: bytes of 16 hex digits [N].
    """

    images: UInt8s
    labels: npt.NDArray[np.int64]
    ids: npt.NDArray[np.bytes_]

    def keys(self) -> npt.NDArray[np.uint64]:
        """The ids as numbers, uint64 [N]: what each image's chance is drawn from."""
        return np.array([int(image_id, 16) for image_id in self.ids], dtype=np.uint64)


def load_packed(folder: Path) -> Packed:
    """Open what the preprocess stage wrote for one split; the images stay on disk until they are used."""
    return Packed(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        ids=np.load(folder / "ids.npy"),
    )
