"""Near-copies in sets of drawings and of photographs: strangers that are joined, and planted copies that are found.

Measures: for each set, the images that share a set of copies with another though each is a picture of its own, and the planted
copies that are in the set of their original: half of the size, JPEG of quality 40, cropped by 8%, re-encoded. The drawings are
made here: shapes, spots, cells, stars, letters, arrows, strokes; no two are equal. Among pictures of a source that are joined
there may be copies that it brought itself; they are counted as they are.

    python -m benchmarks.strangers cifar10.zip fashion-mnist
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.pictures import read_pictures
from benchmarks.rounds import print_table
from darkroom.duplicates.confirm import NearCopies, find_near_copies
from darkroom.duplicates.groups import joined
from darkroom.images.decode import decode
from darkroom.images.measure import MEASURED_SIDE, fingerprint
from darkroom.runtime.arrays import UInt8s
from darkroom.sources.registry import SOURCE_KINDS
from darkroom.sources.source import Location
from darkroom.sources.torchvision_sets import TORCHVISION_CLASSES

SIDE = 64
FONTS = sorted(Path("/usr/share/fonts").rglob("*.ttf"))
KINDS = ("half", "quality 40", "cropped", "re-encoded")
Draw = Callable[[np.random.Generator], UInt8s]


def shape(random: np.random.Generator) -> UInt8s:
    size, kind = int(random.integers(12, 40)), random.integers(3)
    left, top = (int(place) for place in random.integers(1, SIDE - 1 - size, 2))
    picture, box = Image.new("L", (SIDE, SIDE), 255), (left, top, left + size, top + size)
    pen = ImageDraw.Draw(picture)
    if kind == 0:
        pen.ellipse(box, fill=0)
    elif kind == 1:
        pen.rectangle(box, fill=0)
    else:
        pen.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill=0)
    return np.array(picture, np.uint8)


def spots(random: np.random.Generator, most: int, spread: float, widths: tuple[float, float], noise: float) -> UInt8s:
    """One to `most` smooth ellipses around the middle, as fractions of the side, under noise in grey levels."""
    place = (np.arange(SIDE) + 0.5) / SIDE
    grey = random.normal(20, noise, (SIDE, SIDE))
    for _ in range(random.integers(1, most + 1)):
        (x, y), (wide, high) = random.uniform(0.5 - spread, 0.5 + spread, 2), random.uniform(*widths, 2)
        grey += 220 * np.exp(-(((place - x) / wide) ** 2 + ((place[:, None] - y) / high) ** 2) / 2)
    return np.clip(grey, 0, 255).astype(np.uint8)


def letter(random: np.random.Generator) -> UInt8s:
    font = ImageFont.truetype(FONTS[random.integers(len(FONTS))], int(random.integers(SIDE * 2 // 5, SIDE * 9 // 10)))
    picture = Image.new("L", (SIDE, SIDE), 255)
    place = tuple(SIDE / 2 + random.integers(-4, 5, 2))
    ImageDraw.Draw(picture).text(place, chr(65 + random.integers(26)), font=font, fill=0, anchor="mm")
    return np.array(picture, np.uint8)


def arrow(random: np.random.Generator) -> UInt8s:
    picture = Image.fromarray(random.integers(0, 90, (28, 28)).astype(np.uint8))
    length, down = int(random.integers(10, 16)), int(random.integers(8, 20))
    left = int(random.integers(3, 25 - length))
    for end in ((left + length, down), (left + 5, down - 5), (left + 5, down + 5)):
        ImageDraw.Draw(picture).line((left, down, *end), fill=255, width=2)
    return np.ascontiguousarray(np.asarray(picture)[:, :: random.choice([-1, 1])])


def strokes(random: np.random.Generator) -> UInt8s:
    picture = Image.new("L", (SIDE, SIDE), 255)
    corners = random.uniform(8, SIDE - 8, (int(random.integers(3, 7)), 2))
    ImageDraw.Draw(picture).line([tuple(corner) for corner in corners.tolist()], fill=0, width=2)
    return np.array(picture, np.uint8)


DRAWINGS: dict[str, tuple[int, Draw]] = {
    "shapes": (450, shape),
    "spots": (600, lambda random: spots(random, 1, 0.15, (0.08, 0.2), 0)),
    "cells": (600, lambda random: spots(random, 2, 0.3, (0.06, 0.18), 3)),
    "stars": (600, lambda random: spots(random, 3, 0.1, (0.03, 0.09), 4)),
    "letters": (600, letter),
    "arrows": (600, arrow),
    "strokes": (600, strokes),
}


def drawings(count: int, draw: Draw) -> list[UInt8s]:
    random = np.random.default_rng(0)
    found: dict[bytes, UInt8s] = {}
    while len(found) < count:
        picture = draw(random)
        found[picture.tobytes()] = picture
    return list(found.values())


def reencoded(grey: UInt8s, quality: int) -> UInt8s:
    stored = io.BytesIO()
    Image.fromarray(grey).save(stored, "JPEG", quality=quality)
    return np.array(Image.open(stored).convert("L"), np.uint8)


def planted(grey: UInt8s, kind: str, random: np.random.Generator) -> UInt8s:
    height, width = grey.shape
    if kind == "half":
        halved = Image.fromarray(grey).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BICUBIC)
        return reencoded(np.array(halved, np.uint8), 95)
    if kind == "cropped":
        across, down = max(1, round(width * 0.08)), max(1, round(height * 0.08))
        left, top = (int(random.integers(0, most + 1)) for most in (across, down))
        return reencoded(np.ascontiguousarray(grey[top : height - down + top, left : width - across + left]), 95)
    return reencoded(grey, 40 if kind == "quality 40" else int(random.integers(70, 95)))


def find(pictures: list[UInt8s]) -> NearCopies:
    measured = [fingerprint(grey[:, :, None]) for grey in pictures]
    height, width = np.array([grey.shape for grey in pictures], np.int32).T
    contrast = np.array([each.contrast for each in measured], np.float32)
    thumbnails = np.stack([each.thumbnail for each in measured])
    ids = np.arange(len(pictures), dtype=np.uint64)
    with TemporaryDirectory() as cache:
        return find_near_copies(thumbnails.__getitem__, ids, width, height, contrast, Path(cache), "")


def row(name: str, pictures: list[UInt8s]) -> tuple[str, ...]:
    random, count = np.random.default_rng(1), len(pictures)
    alone = find(pictures)
    of = random.permutation(count)[: min(400, max(40, count // 10))]
    copies = [planted(pictures[original], KINDS[k % 4], random) for k, original in enumerate(of)]
    sets = joined(count + len(copies), [find(pictures + copies).pairs])
    hits = [sets[count + k] == sets[original] for k, original in enumerate(of)]
    paired, note = len(np.unique(alone.pairs)), "nearly equal alone" if alone.equal_alone else "changed copies too"
    return name, f"{count:,}", f"{paired:,}", *(f"{np.mean(hits[k::4]):.0%}" for k in range(4)), note


def files_of(source: str, most: int) -> list[bytes]:
    """Of a zip or a folder; or of a data set by its name, which is fetched once."""
    if source not in TORCHVISION_CLASSES:
        return [data for _, data in read_pictures(Path(source), most)]
    kind, location = SOURCE_KINDS[source], Location(Path(), None, 2**40)
    images = kind.list(location).images
    images = [images[index * len(images) // most] for index in range(min(most, len(images)))]
    read = kind.reader(location, images)
    return [read(image) for image in images]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strangers", description=__doc__)
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="zips, folders, or names of torchvision's data sets"
    )
    parser.add_argument("--images", type=int, default=12_000, help="of each source, evenly spaced (12,000)")
    chosen = parser.parse_args()
    rows = [row(name, drawings(*how)) for name, how in DRAWINGS.items()]
    for source in chosen.sources:
        # As ingest measures them; what has a shorter side of at most 128 pixels is whole.
        decoded = [
            decode(data, "turbo", least_side=MEASURED_SIDE, grey=True) for data in files_of(source, chosen.images)
        ]
        rows.append(row(Path(source).name, [each.pixels[:, :, 0] for each in decoded]))
    print_table(("", "images", "joined", *KINDS, "what counts"), rows)


if __name__ == "__main__":
    main()
