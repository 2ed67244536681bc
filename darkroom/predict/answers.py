"""From the arguments of a command line to image files, and from files to predictions.

Files are read and predicted by the functions that the evaluation used.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from darkroom.bundle.bundle import Bundle
from darkroom.images.decode import UnreadableImage
from darkroom.runtime.arrays import UInt8s
from darkroom.sources.folder import read_image_file, walk
from darkroom.sources.names import junk_reason

STDIN = "-"
# Images in memory at a time, as the small arrays that the network sees.
BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        path: of the image, as it was given.
        label: name of the class with the highest probability.
        confidence: that probability.
        threshold: confidence below which the model abstains; None where it never does.
        probabilities: of every class, in class-list order.
        pixels: uint8 [S, S, C], as the model saw it.
    """

    path: str
    label: str
    confidence: float
    threshold: float | None
    probabilities: dict[str, float]
    pixels: UInt8s = field(repr=False, compare=False)

    @property
    def abstains(self) -> bool:
        """Whether the confidence is below the threshold."""
        return self.threshold is not None and self.confidence < self.threshold


@dataclass(frozen=True)
class Refusal:
    """An image that could not be predicted.

    Attributes:
        path: of the image, as it was given.
        error: why.
    """

    path: str
    error: str


def list_images(names: Iterable[str], stdin: BinaryIO) -> Iterator[Path | Refusal]:
    """Every image of the arguments, in the order given.

    Args:
        names: files; folders, for every file in them that ingest would take for an image, sorted; and `-` for a list on
            standard input, one name a line, read as it comes.
        stdin: standard input.

    Returns:
        Paths, and refusals for empty names, for folders and lists that hold no image, and for what in a folder is neither a
        file nor a folder: links to folders, which are not followed, pipes and devices. Whether a file can be read is not
        checked.

    Raises:
        DarkroomError: when a folder can't be listed.
    """
    for name in names:
        if name == STDIN:
            lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in stdin)
            listed = list_images((line for line in lines if line and line != STDIN), stdin)
            yield next(listed, Refusal(STDIN, "the list on standard input names no image"))
            yield from listed
        elif not name:
            # As a path it would be the current folder, where a shell's variable may have been empty.
            yield Refusal("", "an empty name: give a file, a folder, or - for a list on standard input")
        elif os.path.isdir(name):  # noqa: PTH112 (that of Path fails on a name that is too long)
            yield from _images_of(Path(name))
        else:
            yield Path(name)


def _images_of(folder: Path) -> Iterator[Path | Refusal]:
    """Hidden and junk files are skipped, as at ingest."""
    found = []
    paths, _, others = walk(folder)
    for path in paths:
        parent, _, name = path.rpartition("/")
        if junk_reason(parent, os.fsencode(name).decode("utf-8", "replace")) is None:
            found.append(path)
    if not found:
        yield Refusal(str(folder), "the folder holds no image")
    for other in sorted(others, key=lambda other: other.path):
        yield Refusal(str(folder / other.path), other.reason)
    for path in sorted(found):
        yield folder / path


def predict_pixels(bundle: Bundle, paths: Iterable[str], pixels: list[UInt8s]) -> Iterator[Prediction]:
    """Predictions for decoded images.

    Args:
        bundle: as `load_bundle` gives it.
        paths: of the images, as given.
        pixels: as `Bundle.pixels` gives them, at least one.
    """
    for path, image, row in zip(paths, pixels, bundle.predict(np.stack(pixels)), strict=True):
        # Seven digits hold a float32 apart from its neighbours at the top of the range; more would be noise.
        probabilities = {label: round(float(p), 7) for label, p in zip(bundle.classes.names, row, strict=True)}
        label = bundle.classes.names[int(row.argmax())]
        yield Prediction(path, label, probabilities[label], bundle.calibration.threshold, probabilities, image)


def predict_files(bundle: Bundle, paths: Iterable[Path | Refusal]) -> Iterator[Prediction | Refusal]:
    """One prediction or refusal for each file, in the order given; memory does not grow with their number.

    Args:
        bundle: as `load_bundle` gives it.
        paths: of image files; a refusal stays one.
    """
    remaining = iter(paths)
    while batch := list(islice(remaining, BATCH)):
        read = [path if isinstance(path, Refusal) else _read(bundle, path) for path in batch]
        good = [(str(path), found) for path, found in zip(batch, read, strict=True) if not isinstance(found, Refusal)]
        predicted = (
            predict_pixels(bundle, [name for name, _ in good], [pixels for _, pixels in good]) if good else iter(())
        )
        for found in read:
            yield found if isinstance(found, Refusal) else next(predicted)


def _read(bundle: Bundle, path: Path) -> UInt8s | Refusal:
    try:
        return bundle.pixels(read_image_file(path))
    except OSError as error:
        return Refusal(str(path), f"can't be read: {error.strerror or error}")
    except UnreadableImage as error:
        return Refusal(str(path), str(error))
    except ValueError as error:  # a name that no file can have, with a byte of zero
        return Refusal(str(path), f"can't be read: {error}")
