"""The packed images of a split, read and replaced as one array."""

from pathlib import Path

import numpy as np

from darkroom.images.packed import PackedRange, open_ranges, write_receipt
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.files import file_hash


def read_images(folder: Path) -> UInt8s:
    return np.array(open_ranges(folder))


def write_images(folder: Path, images: UInt8s) -> None:
    """In place of all ranges there are, one; labels and ids stay, and are there before."""
    for file in folder.glob("*.npy"):
        if file.stem not in ("labels", "ids"):
            file.unlink()
    np.save(folder / "0.npy", images)
    write_receipt([PackedRange("0", len(images), file_hash(folder / "0.npy"))], folder)
