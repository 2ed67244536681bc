"""scikit-learn's embedded digits: 1,797 grey pictures of 8 x 8 pixels that need no network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from darkroom.sources.source import Listing, Location, Reader, SourceImage, SourceKind, as_png


def list_digits(location: Location) -> Listing:
    """The test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998)."""
    digits = _load()
    classes = tuple(str(name) for name in digits.target_names)
    labels = enumerate(digits.target.tolist())
    return Listing(
        classes, [SourceImage(f"{index:04}.png", classes[label], None, None, (index,)) for index, label in labels]
    )


def _read_digits(location: Location, images: Sequence[SourceImage]) -> Reader:
    """Their values run from 0 to 16, and are spread over 0 to 255."""
    pixels = np.round(_load().images * (255 / 16)).astype(np.uint8)

    def read(image: SourceImage) -> bytes:
        (index,) = image.place or ()
        return as_png(pixels[index])

    return read


def _load() -> Any:
    from sklearn.datasets import load_digits

    return load_digits()


DIGITS = SourceKind(
    "digits",
    detect=lambda path: False,  # they are at no path
    files=lambda location: [],
    list=list_digits,
    reader=_read_digits,
)
