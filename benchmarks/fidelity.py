"""What reducing a JPEG while it is decoded does to the pixels, beside what the choice of a resampling filter does."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.rounds import in_turns, print_table, rates, timed
from darkroom.images.decode import decode
from darkroom.images.pixels import OVERSAMPLING, to_pixels
from darkroom.runtime.arrays import UInt8s

REFERENCES = ("full decoding, area", "Pillow, bilinear")


def square(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the middle square."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def compare(files: list[Path], rounds: int) -> None:
    """Print mean absolute differences of 255, and images a second on one thread, for 64 and 224 pixels."""
    contents = [file.read_bytes() for file in files]
    for side in (64, 224):
        ways: dict[str, Callable[[bytes], UInt8s]] = {
            "reduced decoding, area (ours)": functools.partial(_ours, side=side, least=OVERSAMPLING * side),
            REFERENCES[0]: functools.partial(_ours, side=side, least=None),
            REFERENCES[1]: functools.partial(_pillow, side=side, resampling=Image.Resampling.BILINEAR),
            "Pillow, bicubic": functools.partial(_pillow, side=side, resampling=Image.Resampling.BICUBIC),
        }
        pictures = {name: [way(data).astype(np.int16) for data in contents] for name, way in ways.items()}
        contestants = {name: timed(functools.partial(_all, way, contents)) for name, way in ways.items()}
        speeds = rates(in_turns(contestants, rounds), len(files))
        rows = []
        for name in ways:
            apart = [_apart(pictures[name], pictures[other]) for other in REFERENCES]
            rows.append((name, f"{speeds[name]:,.0f}", *(f"{difference:.2f}" for difference in apart)))
        print_table((f"to {side} px", "img/s, one thread", *(f"from {name}" for name in REFERENCES)), rows)


def _all(way: Callable[[bytes], UInt8s], contents: list[bytes]) -> None:
    for data in contents:
        way(data)


def _ours(data: bytes, side: int, least: int | None) -> UInt8s:
    return to_pixels(decode(data, least_side=least).pixels, side, 3, "crop")


def _pillow(data: bytes, side: int, resampling: Image.Resampling) -> UInt8s:
    picture = Image.fromarray(decode(data, "pillow").pixels.squeeze()).convert("RGB")
    return np.asarray(picture.resize((side, side), resampling, box=square(*picture.size)))


def _apart(ones: list[npt.NDArray[np.int16]], others: list[npt.NDArray[np.int16]]) -> float:
    return float(np.mean([np.abs(one - other).mean() for one, other in zip(ones, others, strict=True)]))
