"""Pack pictures into uint8 arrays that a network can be fed from without decoding again."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from tqdm import tqdm

from darkroom.images.decode import decode
from darkroom.images.pixels import UInt8s, to_pixels

BATCH = 64


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


def choose_size(widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32]) -> int:
    """The median of the shorter sides to a multiple of 4, between 8 and 64 pixels.

    64 is as much as the simple CNN learns from in minutes on two cores; networks that want more say so in the settings.
    """
    median = float(np.median(np.minimum(widths, heights)))
    return int(np.clip(round(median / 4) * 4, 8, 64))


def choose_channels(modes: set[str]) -> int:
    """1 when every image is grey in its file, else 3."""
    return 1 if modes <= {"1", "L", "LA", "I", "I;16", "I;16B", "F"} else 3


def pack(data: Iterator[bytes], count: int, size: int, channels: int, resize: str, target: Path) -> None:
    """Decode, convert and resize `count` images into one .npy file, uint8 [count, size, size, channels]."""
    array = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(count, size, size, channels))

    def convert(few: list[bytes]) -> list[UInt8s]:
        return [to_pixels(decode(one).picture, size, channels, resize) for one in few]

    work = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    batches = iter(lambda: list(islice(data, BATCH)), [])
    position = 0
    with tqdm(total=count, desc=f"preprocess {target.parent.name}", unit="image", disable=None) as bar:
        for batch in work(delayed(convert)(few) for few in batches):
            array[position : position + len(batch)] = batch
            position += len(batch)
            bar.update(len(batch))
    array.flush()


def mean_and_std(images: UInt8s) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each channel, of values in [0, 1], over all pixels; counted exactly, in integers.

    A channel that never varies gets a deviation of 1, since nothing can be divided by 0.
    """
    levels = np.arange(256)
    means, deviations = [], []
    for channel in range(images.shape[3]):
        counts = np.bincount(images[..., channel].ravel(), minlength=256)
        mean = float((counts * levels).sum() / counts.sum())
        variance = float((counts * (levels - mean) ** 2).sum() / counts.sum())
        means.append(mean / 255)
        deviations.append(variance**0.5 / 255 or 1.0)
    return tuple(means), tuple(deviations)


def load_packed(folder: Path) -> Packed:
    """Open what the preprocess stage wrote for one split; the images stay on disk until they are used."""
    return Packed(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        ids=np.load(folder / "ids.npy"),
    )
