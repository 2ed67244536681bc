"""From image files to predictions; files are read and predicted by the functions that the evaluation used."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from darkroom.bundle.bundle import Bundle
from darkroom.images.decode import UnreadableImage, out_of_memory
from darkroom.predict.listing import Refusal, content_hint, missing_hint
from darkroom.runtime.arrays import UInt8s
from darkroom.sources.image_files import read_image_file

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


def predict_pixels(bundle: Bundle, paths: Iterable[str], pixels: list[UInt8s]) -> Iterator[Prediction]:
    """Predictions for decoded images.

    Args:
        bundle: as `load_bundle` gives it.
        paths: of the images, as given.
        pixels: as `Bundle.pixels` gives them, at least one.
    """
    for path, image, row in zip(paths, pixels, bundle.predict(np.stack(pixels)), strict=True):
        # Seven digits hold a float32 apart from its neighbours at the top of the range; more would be noise.
        probabilities = {label: round(p, 7) for label, p in zip(bundle.classes.names, row.tolist(), strict=True)}
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
    except FileNotFoundError as error:
        return Refusal(str(path), f"can't be read: {error.strerror}{missing_hint(str(path))}")
    except OSError as error:
        return Refusal(str(path), f"can't be read: {error.strerror or error}")
    except MemoryError:
        return Refusal(str(path), str(out_of_memory()))
    except UnreadableImage as error:
        return Refusal(str(path), f"{error}{content_hint(str(path))}")
    except ValueError as error:  # a name that no file can have, with a byte of zero
        return Refusal(str(path), f"can't be read: {error}")
