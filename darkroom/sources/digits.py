"""scikit-learn's embedded digits: 1,797 grey pictures of 8 x 8 pixels that need no network."""

import numpy as np

from darkroom.sources.source import Listing, SourceImage, as_png


def list_digits() -> Listing:
    """The test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998).

    Its values run from 0 to 16, and are spread over 0 to 255.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    classes = tuple(str(name) for name in digits.target_names)
    images = [
        SourceImage(f"{index:04}.png", classes[label], None, lambda picture=picture: as_png(picture))  # type: ignore[misc]
        for index, (picture, label) in enumerate(zip(pixels, digits.target, strict=True))
    ]
    return Listing(classes, images)
