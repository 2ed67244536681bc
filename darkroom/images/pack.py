"""Packed images: uint8 arrays that preprocess writes, and that networks read without decoding again."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm import tqdm

from darkroom.images.cache import PixelCache, decoding_identity, row_checksums
from darkroom.images.packed import open_ranges
from darkroom.images.pillow_decoder import is_grey
from darkroom.images.pixels import read_pixels
from darkroom.images.shards import read_shards
from darkroom.model.depth import Depth
from darkroom.runtime.arrays import Images, Int32s, Int64s, UInt8s, UInt64s
from darkroom.runtime.inputs import stage_input
from darkroom.runtime.threads import in_batches, in_order

# Pixels that are counted at a time: OpenCV counts in float32, which is exact up to 2 to the 24.
COUNTED = 1 << 20
# An id is 16 hex digits. So many are looked at together.
IDS = np.dtype("S16")
CHECKED = 1 << 16
# By byte: the value of a hex digit; the zero bytes behind a shorter id; what is no digit.
NO_DIGIT, OTHER = 254, 255
DIGITS = np.full(256, OTHER, np.uint8)
DIGITS[0] = NO_DIGIT
DIGITS[list(b"0123456789abcdef")] = np.arange(16)


def choose_size(sides: Int32s) -> int:
    """The median of the shorter sides, int32 [N], to a multiple of 4, between 8 and 64 pixels.

    64 is as much as the simple CNN learns from in minutes on two cores; a larger size can be set.
    """
    median = float(np.median(sides))
    return int(np.clip(round(median / 4) * 4, 8, 64))


def choose_channels(modes: set[str]) -> int:
    """1 when every image is grey in its file, else 3."""
    return 1 if all(map(is_grey, modes)) else 3


@dataclass(frozen=True)
class PixelForm:
    """What all images become.

    Attributes:
        size, channels, resize, decoder, depth: as in `darkroom.model.spec.Preprocessing`.
    """

    size: int
    channels: int
    resize: str
    decoder: str
    depth: Depth | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image, [S, S, C]."""
        return self.size, self.size, self.channels

    @property
    def identity(self) -> str:
        """What, beside the shape, decides which pixels a file gives: the resize rule, how it is decoded, and the depth."""
        depth = "" if self.depth is None else f" {json.dumps(self.depth.to_dict())}"
        return f"{self.resize} {decoding_identity(self.decoder)}{depth}"


def new_array(target: Path, images: int, form: PixelForm) -> UInt8s:
    """A .npy file uint8 [N, S, S, C] to write to, memory-mapped, with its place on the disk."""
    array = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(images, *form.shape))
    # Where the disk has no room, the system would kill us at some later row.
    with target.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    return array


def decode_rows(
    images: pa.Table, rows: Int64s, shards: Path, form: PixelForm, word: str
) -> Iterator[tuple[Int64s, UInt8s]]:
    """Decode, convert and resize some images, on all cores; give the rows of each batch, and their pixels.

    Args:
        images: `shard`, `offset`, `bytes` of each image [N].
        rows: int64 [n], those to decode.
        shards: the folder of the original bytes.
        form: what they become.
        word: before the progress bar.
    """
    fresh = images.take(rows)
    contents = read_shards(
        shards, zip(*(fresh[name].to_pylist() for name in ("shard", "offset", "bytes")), strict=True)
    )

    def convert(batch: list[bytes]) -> UInt8s:
        pixels = [read_pixels(data, form.size, form.channels, form.resize, form.decoder, form.depth) for data in batch]
        return np.stack(pixels)

    position = 0
    with tqdm(total=len(rows), desc=word, unit="image", disable=None) as bar:
        for pixels in in_order(convert, in_batches(contents, len), lambda batch: sum(map(len, batch))):
            places = rows[position : position + len(pixels)]
            yield places, pixels
            position += len(pixels)
            bar.update(len(pixels))


def pack_sample(images: pa.Table, shards: Path, form: PixelForm, cache: PixelCache, target: Path) -> None:
    """Write some images into one .npy file, uint8 [N, S, S, C].

    Args:
        images: `sha256`, `shard`, `offset`, `bytes` of each image [N].
        shards: the folder of the original bytes.
        form: what they become.
        cache: rows of earlier samples, which are copied; the new ones are appended to it.
        target: the file to write.
    """
    array = new_array(target, len(images), form)
    hashes = images["sha256"].to_pylist()
    missing = np.flatnonzero(~cache.copy_to(hashes, array))
    for rows, pixels in decode_rows(images, missing, shards, form, "select"):
        array[rows] = pixels
        cache.append([hashes[row] for row in rows], pixels, row_checksums(pixels))


def level_counts(images: UInt8s) -> Int64s:
    """How many pixels of uint8 [N, S, S, C] have each value, for each channel; int64 [C, 256]."""
    pixels = np.asarray(images).reshape(-1, 1, images.shape[3])
    counts = np.zeros((images.shape[3], 256), np.int64)
    for channel in range(images.shape[3]):
        # Five times as fast as NumPy's bincount.
        for start in range(0, len(pixels), COUNTED):
            counted = cv2.calcHist([pixels[start : start + COUNTED]], [channel], None, [256], [0, 256])
            counts[channel] += counted.ravel().astype(np.int64)
    return counts


def mean_and_std(counts: Int64s) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each channel, of values in [0, 1], over all pixels; counted exactly, in integers.

    A channel that never varies gets a deviation of 1, so that nothing is divided by 0.

    Args:
        counts: int64 [C, 256], as `level_counts` gives them; those of several arrays can be added.
    """
    levels = np.arange(256)
    means, deviations = [], []
    for channel in counts:
        mean = float((channel * levels).sum() / channel.sum())
        variance = float((channel * (levels - mean) ** 2).sum() / channel.sum())
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

    images: Images
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
        images=open_ranges(folder),
        labels=np.load(folder / "labels.npy"),
        ids=np.load(folder / "ids.npy", mmap_mode="r"),
    )
    for name, dtype, axes in (("labels", np.dtype(np.int64), 1), ("ids", IDS, 1)):
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
