"""Small data sets of many kinds, from what is at hand and from drawings, for `benchmarks.selection`. All come from seeds.

Measures nothing. Each is a zip with `train/` and `test/` of class folders; the test part is large where training images are
few, so that half a point can be told. docs/benchmarks.md says what each set shows.

    python -m benchmarks.sets OUT --photographs imagenet-200.zip --signs sign-digits.zip --cifar10 cifar10.zip
"""

import argparse
import io
import random
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.pictures import read_pictures, write_zip
from darkroom.sources.registry import SOURCE_KINDS
from darkroom.sources.source import Location

Pictures = dict[str, bytes]
Floats = npt.NDArray[np.float64]
# The first of ImageNet's synsets that is no animal.
FIRST_THING = "n02669723"
SIDE = 256


def as_file(picture: Image.Image, kind: str = "PNG") -> bytes:
    """The bytes of a picture as PNG or JPEG."""
    out = io.BytesIO()
    picture.save(out, kind, quality=95)
    return out.getvalue()


def by_class(source: Path) -> dict[str, list[bytes]]:
    """The pictures of an archive by their folder, in an order of a seed."""
    found: dict[str, list[bytes]] = {}
    for name, data in read_pictures(source):
        found.setdefault(Path(name).parent.name, []).append(data)
    for name, pictures in found.items():
        random.Random(name).shuffle(pictures)
    return found


def laid_out(pictures: Mapping[str, list[bytes]], train: int, test: int | None, suffix: str) -> Pictures:
    """`train/<class>/` and `test/<class>/` with so many of each class; all that are left for `None`."""
    out: Pictures = {}
    for name, files in pictures.items():
        end = len(files) if test is None else train + test
        for index, data in enumerate(files[:end]):
            out[f"{'train' if index < train else 'test'}/{name}/{index:04}.{suffix}"] = data
    return out


def animals_and_things(photographs: Path) -> Pictures:
    """20 of each to train on."""
    found: dict[str, list[bytes]] = {"animal": [], "thing": []}
    for name, data in read_pictures(photographs):
        found["thing" if Path(name).name >= FIRST_THING else "animal"].append(data)
    for name, files in found.items():
        random.Random(name).shuffle(files)
    return laid_out(found, 20, None, "jpg")


def turned_signs(signs: Path) -> Pictures:
    """Thirty classes: ten digits in three positions, each of photographs of its own."""
    found: dict[str, list[bytes]] = {}
    turns = {"upright": 0, "left": 90, "down": 180}
    for (digit, files), (number, (name, angle)) in product(by_class(signs).items(), enumerate(turns.items())):
        opened = (Image.open(io.BytesIO(data)) for data in files[30 * number : 30 * number + 30])
        found[f"{digit}-{name}"] = [as_file(picture.rotate(angle), "JPEG") for picture in opened]
    return laid_out(found, 10, 20, "jpg")


def noisy(values: Floats, draw: np.random.Generator, deviation: float) -> Image.Image:
    """Grey values in [0, 1], with noise, as an 8-bit picture."""
    clipped = np.clip(values + draw.normal(0, deviation, values.shape), 0, 1)
    return Image.fromarray((255 * clipped).astype(np.uint8))


def grey_signs(signs: Path) -> Pictures:
    """Inverted, blurred, of half the contrast, with noise."""
    draw = np.random.default_rng(0)
    found = {}
    for digit, files in by_class(signs).items():
        opened = (Image.open(io.BytesIO(data)).convert("L") for data in files[:60])
        blurred = (np.asarray(picture.filter(ImageFilter.GaussianBlur(1.2)), np.float64) / 255 for picture in opened)
        found[digit] = [as_file(noisy(0.75 - 0.5 * values, draw, 0.06)) for values in blurred]
    return laid_out(found, 30, 30, "png")


def ellipse(centre: tuple[float, float], radii: tuple[float, float], softness: float) -> Floats:
    """1 inside, 0 outside, float64 [SIDE, SIDE]; all measures as fractions of the side."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    distance = np.hypot((columns - centre[0]) / radii[0], (rows - centre[1]) / radii[1])
    edge: Floats = 1 / (1 + np.exp((distance - 1) / softness))
    return edge


def chest(draw: np.random.Generator, shadow: bool) -> Image.Image:
    """Two dark lungs in a lighter body, ribs across, and a faint round shadow in one lung or none."""
    x, y = 0.5 + draw.uniform(-0.05, 0.05), 0.5 + draw.uniform(-0.05, 0.05)
    apart, wide, high = draw.uniform(0.18, 0.24), draw.uniform(0.12, 0.16), draw.uniform(0.26, 0.36)
    body = ellipse((x, y), (draw.uniform(0.42, 0.5), draw.uniform(0.5, 0.6)), 0.05)
    lungs = [ellipse((x + side * apart, y), (wide, high), 0.08) for side in (-1, 1)]
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    bend, period = draw.uniform(0.3, 0.8), draw.uniform(0.07, 0.11)
    ribs = np.sin(2 * np.pi * (rows + bend * (columns - x) ** 2 + draw.uniform(0, 1)) / period) > 0.4
    values = 0.15 + 0.6 * body - 0.35 * (lungs[0] + lungs[1]) + 0.1 * ribs * body
    if shadow:
        side = draw.choice([-1, 1])
        place = (x + side * apart + draw.uniform(-0.05, 0.05), y + draw.uniform(-0.18, 0.18))
        radius = draw.uniform(0.025, 0.05)
        values = values + draw.uniform(0.14, 0.24) * ellipse(place, (radius, radius), 0.2)
    return noisy(values, draw, 0.04)


def chests() -> Pictures:
    """150 of each to train on."""
    draw = np.random.default_rng(1)
    found = {name: [as_file(chest(draw, name == "shadow")) for _ in range(300)] for name in ("clear", "shadow")}
    return laid_out(found, 150, 150, "png")


def shapes() -> dict[str, Callable[[ImageDraw.ImageDraw, int], None]]:
    """How each icon is drawn, on a square of 100."""

    def polygon(*points: tuple[float, float]) -> Callable[[ImageDraw.ImageDraw, int], None]:
        return lambda pen, colour: pen.polygon(points, fill=colour)

    def star(corners: int) -> list[tuple[float, float]]:
        angles = np.arange(2 * corners) * np.pi / corners - np.pi / 2
        radii = np.where(np.arange(2 * corners) % 2, 18, 45)
        return [(50 + r * np.cos(a), 50 + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]

    right = ((15, 38), (55, 38), (55, 15), (90, 50), (55, 85), (55, 62), (15, 62))
    return {
        "arrow-right": polygon(*right),
        "arrow-left": polygon(*((100 - x, y) for x, y in right)),
        "arrow-up": polygon(*((y, 100 - x) for x, y in right)),
        "play": polygon((20, 12), (88, 50), (20, 88)),
        "back": polygon((80, 12), (12, 50), (80, 88)),
        "stop": polygon((18, 18), (82, 18), (82, 82), (18, 82)),
        "record": lambda pen, colour: pen.ellipse((14, 14, 86, 86), fill=colour),
        "ring": lambda pen, colour: pen.ellipse((14, 14, 86, 86), outline=colour, width=14),
        "star": polygon(*star(5)),
        "spark": polygon(*star(4)),
        "plus": polygon(*((x, y) for x, y in (*((40, 12), (60, 12), (60, 40), (88, 40), (88, 60), (60, 60)),
                          *((60, 88), (40, 88), (40, 60), (12, 60), (12, 40), (40, 40))))),
        "pause": lambda pen, colour: [pen.rectangle((x, 14, x + 20, 86), fill=colour) for x in (20, 60)] and None,
    }  # fmt: skip


def icons() -> Pictures:
    """25 of each to train on: of any colour and size, moved and turned a little, on a transparent or a plain ground."""
    draw = random.Random(2)
    found: dict[str, list[bytes]] = {}
    for name, paint in shapes().items():
        for _ in range(75):
            mask = Image.new("L", (100, 100))
            paint(ImageDraw.Draw(mask), 255)
            mask = mask.rotate(
                draw.uniform(-12, 12), Image.Resampling.BICUBIC, translate=(draw.randint(-6, 6), draw.randint(-6, 6))
            )
            side = draw.choice([24, 32, 48])
            mask = mask.resize((side, side), Image.Resampling.LANCZOS)
            ground = (*(draw.randrange(256) for _ in range(3)), draw.choice([0, 0, 255]))
            picture = Image.new("RGBA", (side, side), ground)
            picture.paste((*(draw.randrange(256) for _ in range(3)), 255), mask=mask)
            found.setdefault(name, []).append(as_file(picture))
    return laid_out(found, 25, 50, "png")


def part_of_cifar10(cifar10: Path) -> Pictures:
    """200 of each class to train on."""
    return laid_out(by_class(cifar10), 200, 100, "jpg")


def part_of_fashion() -> Pictures:
    """200 of each class to train on, of the copy in the user's cache (fetched where it is not there)."""
    kind, location = SOURCE_KINDS["fashion-mnist"], Location(Path(), None, 0)
    chosen = [image for image in kind.list(location).images if image.split == "test"]
    read = kind.reader(location, chosen)
    found: dict[str, list[bytes]] = {}
    for image in chosen:
        found.setdefault(str(image.label), []).append(read(image))
    return laid_out(found, 200, 100, "png")


def made(chosen: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Pictures]]]:
    """The sets whose sources were given."""
    if chosen.photographs:
        yield "photographs-40", lambda: animals_and_things(chosen.photographs)
    if chosen.signs:
        yield "photographs-300", lambda: turned_signs(chosen.signs)
        yield "signs-grey", lambda: grey_signs(chosen.signs)
    yield "xrays", chests
    yield "icons", icons
    if chosen.cifar10:
        yield "cifar10-2000", lambda: part_of_cifar10(chosen.cifar10)
    if chosen.fashion:
        yield "fashion-2000", part_of_fashion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder to make the zips in")
    parser.add_argument("--photographs", type=Path, help="a zip of photographs that are named by ImageNet's synsets")
    parser.add_argument("--signs", type=Path, help="sign-digits.zip")
    parser.add_argument("--cifar10", type=Path, help="a zip with CIFAR-10 in class folders")
    parser.add_argument("--fashion", action="store_true", help="a part of Fashion-MNIST, too")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, make in made(chosen):
        pictures = make()
        write_zip(pictures, chosen.out / f"{name}.zip")
        train = sum(path.startswith("train/") for path in pictures)
        print(f"{name}: {train:,} training images, {len(pictures) - train:,} test images", flush=True)


if __name__ == "__main__":
    main()
