"""Decoding and resizing photographs to 224 x 224: ours beside loaders that people write with torch, Pillow and OpenCV.

Measures images a second into one uint8 array [N, 224, 224, 3], the middle square resized: `darkroom.images.pack`, as the
preprocess stage runs it; a torch DataLoader with two workers over Pillow (bilinear, antialiased), and over OpenCV with
its area and its linear filter, of which the faster counts (the linear one aliases). "one epoch" starts the workers, "later
epochs" has them running. The ceiling is libjpeg-turbo (simplejpeg) alone, on all threads. Two more tables tell what reducing
JPEGs while they are decoded does to the pixels, beside what the choice of a filter does. All contestants read the same files;
ours writes to a temporary folder.

    python -m benchmarks.loaders PHOTOS_ZIP_OR_FOLDER
"""

import argparse
import functools
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import simplejpeg
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.fidelity import compare, square
from benchmarks.pictures import lay_out_files
from benchmarks.rounds import RATE_HEADER, Contestant, in_turns, print_table, rate_rows, timed
from darkroom.images.cache import PixelCache
from darkroom.images.pack import PixelForm, pack_sample
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.cores import usable_cores

# 200 photographs then come to an equal number of batches for each worker.
SIDE, BATCH, WORKERS = 224, 20, 2
OURS, CEILING = "ours: pack", "ceiling: libjpeg-turbo alone, all threads"


def with_pillow(file: Path) -> UInt8s:
    """Pillow's shortest way: crop and resize in one call, bilinear over the pixel's whole area (antialiased)."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    # A copy, as torch warns of arrays that it can't write to.
    return np.array(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=square(*picture.size)))


def with_opencv(file: Path, interpolation: int) -> UInt8s:
    """OpenCV's shortest way; the colours are put in order last, on the small picture."""
    picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    left, top, right, bottom = square(picture.shape[1], picture.shape[0])
    small = cv2.resize(picture[top:bottom, left:right], (SIDE, SIDE), interpolation=interpolation)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class Files(Dataset[UInt8s]):
    """A picture for each file."""

    def __init__(self, files: list[Path], read: Callable[[Path], UInt8s]) -> None:
        self._files = files
        self._read = read

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> UInt8s:
        return self._read(self._files[index])


def loader(files: list[Path], read: Callable[[Path], UInt8s], persistent: bool) -> "DataLoader[UInt8s]":
    """A loader as people write it; `persistent` keeps its workers from epoch to epoch."""
    return DataLoader(Files(files, read), batch_size=BATCH, num_workers=WORKERS, persistent_workers=persistent)


def epoch(batches: Any, target: UInt8s) -> None:
    """Fill the array once; iterating starts the loader's workers, unless they persist."""
    position = 0
    for batch in batches:
        target[position : position + len(batch)] = batch.numpy()
        position += len(batch)


class Ours:
    """What the preprocess stage does, from one shard that holds all files, with nothing known beforehand."""

    def __init__(self, files: list[Path], folder: Path) -> None:
        self._folder = folder
        contents = [file.read_bytes() for file in files]
        lengths = [len(data) for data in contents]
        (folder / "shard.bin").write_bytes(b"".join(contents))
        self._images = pa.table(
            {
                "sha256": [file.name for file in files],
                "shard": ["shard"] * len(files),
                "offset": np.cumsum([0, *lengths[:-1]]),
                "bytes": lengths,
            }
        )

    def __call__(self) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as out:
            form = PixelForm(SIDE, 3, "crop", "turbo", None)
            seen = PixelCache(Path(out) / "seen", form.identity, form.shape)
            pack_sample(self._images, self._folder, form, seen, Path(out) / "images.npy")


def decode_only(files: list[Path]) -> None:
    """Full decoding, on all threads."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(lambda file: simplejpeg.decode_jpeg(file.read_bytes()), files))


def speed(files: list[Path], folder: Path, rounds: int) -> None:
    """Print images a second of all contestants."""
    readers: dict[str, Callable[[Path], UInt8s]] = {
        "Pillow": with_pillow,
        "OpenCV, area": functools.partial(with_opencv, interpolation=cv2.INTER_AREA),
        "OpenCV, linear": functools.partial(with_opencv, interpolation=cv2.INTER_LINEAR),
    }
    target = np.empty((len(files), SIDE, SIDE, 3), np.uint8)
    contestants: dict[str, Contestant] = {
        OURS: timed(Ours(files, folder)),
        CEILING: timed(functools.partial(decode_only, files)),
    }
    for name, read in readers.items():
        contestants[f"{name}: one epoch"] = timed(functools.partial(epoch, loader(files, read, False), target))
        running = loader(files, read, True)
        contestants[f"{name}: later epochs"] = timed(functools.partial(epoch, running, target))
    print_table(RATE_HEADER, rate_rows(in_turns(contestants, rounds), len(files), OURS, CEILING))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loaders", description=__doc__)
    parser.add_argument("photos", type=Path, metavar="PHOTOS_ZIP_OR_FOLDER")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = lay_out_files(chosen.photos, Path(folder) / "images")
        print(f"{chosen.photos.name}: {len(files):,} photographs, to {SIDE} x {SIDE}; {usable_cores()} cores\n")
        speed(files, Path(folder), chosen.rounds)
        compare(files, chosen.rounds)


if __name__ == "__main__":
    main()
