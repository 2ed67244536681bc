"""From image files to answers, through the same functions that the evaluation used.

python -m darkroom.predict BUNDLE IMAGE [IMAGE ...] [--graph model.onnx]

prints one JSON line for each image. One that is missing or can't be read gets a line with `error`, the others their
answers, and the exit status is 1.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from darkroom.bundle import Bundle, load_bundle
from darkroom.images.decode import UnreadableImage
from darkroom.images.pixels import UInt8s, read_pixels
from darkroom.stage import user_errors

# Images in memory at a time, as the small arrays that the network sees.
BATCH = 64


@dataclass(frozen=True)
class Answer:
    """What the model says about one image.

    Attributes:
        path: of the image, as it was given.
        label: name of the class with the highest probability.
        confidence: that probability.
        probabilities: of every class, in class-list order.
    """

    path: str
    label: str
    confidence: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Refusal:
    """An image without an answer.

    Attributes:
        path: of the image, as it was given.
        error: why.
    """

    path: str
    error: str


def pixels_of(bundle: Bundle, data: bytes) -> UInt8s:
    """The array uint8 [S, S, C] that the bundle's graph takes, from the bytes of an image file.

    Raises:
        UnreadableImage: with the reason.
    """
    shape = bundle.preprocessing
    return read_pixels(data, shape.size, shape.channels, shape.resize, shape.decoder)


def answers(bundle: Bundle, names: Iterable[str], pixels: list[UInt8s]) -> Iterator[Answer]:
    """Answers for images that are pixels already.

    Args:
        bundle: as `load_bundle` gives it.
        names: what to call each image.
        pixels: as `pixels_of` gives them, at least one.
    """
    for name, row in zip(names, bundle.predict(np.stack(pixels)), strict=True):
        # Seven digits hold a float32 apart from its neighbours at the top of the range; more would be noise.
        shares = {label: round(float(share), 7) for label, share in zip(bundle.classes.names, row, strict=True)}
        label = bundle.classes.names[int(row.argmax())]
        yield Answer(name, label, shares[label], shares)


def predict_files(bundle: Bundle, paths: Iterable[Path]) -> Iterator[Answer | Refusal]:
    """One answer or refusal for each file, in the order given; memory does not grow with their number."""
    remaining = iter(paths)
    while batch := list(islice(remaining, BATCH)):
        read = [_read(bundle, path) for path in batch]
        good = [
            (str(path), pixels) for path, pixels in zip(batch, read, strict=True) if not isinstance(pixels, Refusal)
        ]
        said = answers(bundle, [name for name, _ in good], [pixels for _, pixels in good]) if good else iter(())
        for pixels in read:
            yield pixels if isinstance(pixels, Refusal) else next(said)


def _read(bundle: Bundle, path: Path) -> UInt8s | Refusal:
    try:
        return pixels_of(bundle, path.read_bytes())
    except OSError as error:
        return Refusal(str(path), f"can't be read: {error.strerror or error}")
    except UnreadableImage as error:
        return Refusal(str(path), str(error))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.predict", description="Name the class of images, one JSON line for each."
    )
    parser.add_argument("bundle", type=Path, help="the folder that the export stage wrote: models/export")
    parser.add_argument("images", type=Path, nargs="+", metavar="image", help="an image file")
    parser.add_argument(
        "--graph",
        metavar="FILE",
        help="another graph of the bundle than the one that ships to answer: model.onnx answers exactly as evaluated",
    )
    arguments = parser.parse_args()
    refused = 0
    with user_errors():
        bundle = load_bundle(arguments.bundle, arguments.graph)
    for answer in predict_files(bundle, arguments.images):
        refused += isinstance(answer, Refusal)
        print(json.dumps(asdict(answer)), flush=True)
    if refused:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
