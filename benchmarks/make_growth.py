"""Make two zips from CIFAR-10: a base, and the same grown by 1% new pictures, for `benchmarks.growth`.

Measures nothing. The base is N images evenly spaced over the zip. The new pictures are blends of two of them, mirrored and
turned over, so that they are no copies; they come as batches do, behind the others of their class, evenly over all classes.

    python -m benchmarks.make_growth CIFAR_ZIP OUT_FOLDER --images 6000
"""

import argparse
import random
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.pictures import read_pictures, write_zip

SHARE = 0.01


def blend(one: bytes, other: bytes) -> bytes:
    """A JPEG of the mean of two pictures of equal size, the one upside down, the other mirrored."""
    first, second = (simplejpeg.decode_jpeg(data).astype(np.uint16) for data in (one, other))
    mean = (first[::-1] + second[:, ::-1]) // 2
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(mean.astype(np.uint8)), quality=85))


def new_pictures(pictures: list[tuple[str, bytes]], count: int) -> list[tuple[str, bytes]]:
    """So many blends, named to sort behind the pictures of their folders."""
    draw = random.Random(0)
    folders = sorted({name.rpartition("/")[0] for name, _ in pictures})
    names = [f"{folders[index % len(folders)]}/new-{index:06}.jpg" for index in range(count)]
    return [(name, blend(draw.choice(pictures)[1], draw.choice(pictures)[1])) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_growth", description=__doc__)
    parser.add_argument("source", type=Path, metavar="CIFAR_ZIP")
    parser.add_argument("out", type=Path, metavar="OUT_FOLDER")
    parser.add_argument("--images", type=int, required=True, help="of the base, at most as many as there are")
    chosen = parser.parse_args()
    base = read_pictures(chosen.source, chosen.images)
    chosen.out.mkdir(parents=True, exist_ok=True)
    added = new_pictures(base, round(SHARE * len(base)))
    for name, pictures in (("base", base), ("grown", base + added)):
        path = chosen.out / f"{name}-{len(base)}.zip"
        write_zip(dict(pictures), path)
        print(f"{path}: {len(pictures):,} images")


if __name__ == "__main__":
    main()
