"""Packed images: uint8 arrays that preprocess writes, and that networks read without decoding again."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from darkroom.images.cache import PixelCache, row_checksums
from darkroom.images.pillow_decoder import is_grey
from darkroom.images.pixels import read_pixels
from darkroom.images.shards import read_shards
from darkroom.model.classes import ClassList
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import Int64s, UInt8s, UInt64s
from darkroom.runtime.files import file_hash, write_json
from darkroom.runtime.inputs import stage_input
from darkroom.runtime.threads import in_batches, in_order

# Pixels that are counted at a time: OpenCV counts in float32, which is exact up to 2 to the 24.
COUNTED = 1 << 20
# Beside the arrays of a split: how many images, and a hash of what the arrays hold.
RECEIPT = "receipt.json"
# An id is 16 hex digits. So many are looked at together.
IDS = np.dtype("S16")
CHECKED = 1 << 16
# By byte: the value of a hex digit; the zero bytes behind a shorter id; what is no digit.
NO_DIGIT, OTHER = 254, 255
DIGITS = np.full(256, OTHER, np.uint8)
DIGITS[0] = NO_DIGIT
DIGITS[list(b"0123456789abcdef")] = np.arange(16)


def choose_size(widths: npt.NDArray[np.int32], heights: npt.NDArray[np.int32]) -> int:
    """The median of the shorter sides to a multiple of 4, between 8 and 64 pixels.

    64 is as much as the simple CNN learns from in minutes on two cores; a larger size can be set.
    """
    median = float(np.median(np.minimum(widths, heights)))
    return int(np.clip(round(median / 4) * 4, 8, 64))


def choose_channels(modes: set[str]) -> int:
    """1 when every image is grey in its file, else 3."""
    return 1 if all(map(is_grey, modes)) else 3


def pack(
    images: pa.Table,
    shards: Path,
    size: int,
    channels: int,
    resize: str,
    decoder: str,
    depth: Depth | None,
    cache: PixelCache,
    target: Path,
) -> tuple[int, Int64s]:
    """Decode, convert and resize images into one .npy file, uint8 [N, size, size, channels], on all cores.

    Args:
        images: `sha256`, `shard`, `offset`, `bytes` of each image [N].
        shards: the folder of the original bytes.
        size, channels, resize, decoder, depth: as in `darkroom.model.spec.Preprocessing`.
        cache: rows of earlier runs, which are copied; the new ones are appended to it.
        target: the file to write.

    Returns:
        How many images were decoded; and the CRC-32 of each row of the file, int64 [N].
    """
    shape = (len(images), size, size, channels)
    array = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
    # Where the disk has no room, the system would kill us at some later row.
    with target.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    hashes = images["sha256"].to_pylist()
    checksums = cache.copy_to(hashes, array)
    missing = np.flatnonzero(checksums < 0)
    fresh = images.take(missing)
    contents = read_shards(
        shards, zip(*(fresh[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)
    )

    def convert(batch: list[bytes]) -> tuple[UInt8s, list[int]]:
        pixels = np.stack([read_pixels(data, size, channels, resize, decoder, depth) for data in batch])
        return pixels, row_checksums(pixels)

    batches = in_batches(contents, len)
    position = 0
    with tqdm(total=len(missing), desc=f"preprocess {target.parent.name}", unit="image", disable=None) as bar:
        for pixels, sums in in_order(convert, batches, lambda batch: sum(map(len, batch))):
            rows = missing[position : position + len(pixels)]
            array[rows] = pixels
            cache.append([hashes[row] for row in rows], pixels, sums)
            checksums[rows] = sums
            position += len(pixels)
            bar.update(len(pixels))
    return len(missing), checksums


def pack_split(
    images: pa.Table,
    classes: ClassList,
    shards: Path,
    size: int,
    channels: int,
    resize: str,
    decoder: str,
    depth: Depth | None,
    cache: PixelCache,
    folder: Path,
) -> int:
    """Write the arrays of a split: images.npy, labels.npy, ids.npy, and `receipt.json`, a hash of what they hold.

    The receipt is made from the CRC-32 of each image, which the cache has, so that no reader needs to hash all pixels.

    Args:
        images: `id`, `label`, and what `pack` needs of each image [N].
        classes: the list that the labels are of.
        shards, size, channels, resize, decoder, depth, cache: as for `pack`.
        folder: of the split, to make.

    Returns:
        How many images were decoded.
    """
    folder.mkdir()
    labels = pc.index_in(images["label"], value_set=pa.array(classes.names)).to_numpy()
    np.save(folder / "labels.npy", labels.astype(np.int64))
    np.save(folder / "ids.npy", np.array(images["id"].to_pylist(), dtype=IDS))
    target = folder / "images.npy"
    decoded, checksums = pack(images, shards, size, channels, resize, decoder, depth, cache, target)
    digest = hashlib.sha256(checksums.astype("<u4").tobytes())
    for name in ("labels.npy", "ids.npy"):
        digest.update(bytes.fromhex(file_hash(folder / name)))
    write_json(folder / RECEIPT, {"images": len(images), "sha256": digest.hexdigest()})
    return decoded


def mean_and_std(images: UInt8s) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each channel, of values in [0, 1], over all pixels; counted exactly, in integers.

    A channel that never varies gets a deviation of 1, so that nothing is divided by 0.
    """
    levels = np.arange(256)
    pixels = np.asarray(images).reshape(-1, 1, images.shape[3])
    means, deviations = [], []
    for channel in range(images.shape[3]):
        counts = np.zeros(256, np.int64)
        # Five times as fast as NumPy's bincount.
        for start in range(0, len(pixels), COUNTED):
            counted = cv2.calcHist([pixels[start : start + COUNTED]], [channel], None, [256], [0, 256])
            counts += counted.ravel().astype(np.int64)
        mean = float((counts * levels).sum() / counts.sum())
        variance = float((counts * (levels - mean) ** 2).sum() / counts.sum())
        means.append(mean / 255)
        deviations.append(variance**0.5 / 255 or 1.0)
    return tuple(means), tuple(deviations)


@dataclass(frozen=True)
class Packed:
    """The images of one split.

    Attributes:
        images: uint8 [N, S, S, C], memory-mapped.
        labels: int64 [N], positions in the class list.
        ids: bytes of 16 hex digits [N].
    """

    images: UInt8s
    labels: Int64s
    ids: npt.NDArray[np.bytes_]

    def keys(self) -> UInt64s:
        """The ids as numbers, uint64 [N]: what each image's random numbers are drawn from."""
        found = np.zeros(len(self.ids), dtype=np.uint64)
        for rows, digits in _digits(self.ids):
            for digit in digits.T:
                found[rows] = np.where(digit == NO_DIGIT, found[rows], (found[rows] << np.uint64(4)) | digit)
        return found


def _digits(ids: npt.NDArray[np.bytes_]) -> Iterator[tuple[slice, UInt8s]]:
    """The values of the hex digits of some ids after others, uint8 [n, 16], behind the last one `NO_DIGIT`."""
    for start in range(0, len(ids), CHECKED):
        rows = slice(start, start + CHECKED)
        yield rows, DIGITS[np.ascontiguousarray(ids[rows]).view(np.uint8).reshape(-1, IDS.itemsize)]


def _all_hex(ids: npt.NDArray[np.bytes_]) -> bool:
    """Whether each id is one hex digit or more, and nothing else."""
    for _, digits in _digits(ids):
        ended = digits == NO_DIGIT
        if (digits == OTHER).any() or ended[:, 0].any() or (ended[:, :-1] & ~ended[:, 1:]).any():
            return False
    return True


@stage_input
def load_packed(folder: Path) -> Packed:
    """Open the packed images of one split; images and ids stay on disk until they are used.

    Raises:
        FileNotFoundError: when there are none.
        DarkroomError: when a file can't be read, or has values of another form.
    """
    packed = Packed(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        ids=np.load(folder / "ids.npy", mmap_mode="r"),
    )
    for name, dtype, axes in (("images", np.dtype(np.uint8), 4), ("labels", np.dtype(np.int64), 1), ("ids", IDS, 1)):
        found = getattr(packed, name)
        if (found.dtype, found.ndim, len(found)) != (dtype, axes, len(packed.images)):
            raise ValueError(
                f"{name}.npy has {found.dtype} {list(found.shape)}, and {dtype} with {axes} axes for "
                f"{len(packed.images):,} images is needed"
            )
    if (packed.labels < 0).any():
        raise ValueError(f"labels.npy has {packed.labels.min()}, which is no class")
    if not _all_hex(packed.ids):
        raise ValueError("ids.npy has other than hex digits")
    return packed
