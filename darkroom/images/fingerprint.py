"""What is measured of a picture when it is opened: a perceptual hash, brightness, sharpness."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Fingerprint:
    """Attributes:
    dhash: 64 bits; near pictures differ in few of them.
    brightness: mean grey value, in [0, 1].
    sharpness: variance of the Laplacian over grey values in [0, 255]; low where a picture is blurred or blank.
    """

    dhash: int
    brightness: float
    sharpness: float


def fingerprint(picture: Image.Image) -> Fingerprint:
    """Measure a picture in mode `L` or `RGB`.

    The hash is the difference hash (Krawetz 2013, "Kind of Like That"): the picture as 9 x 8 grey values, one bit for each
    pair of neighbours in a row. Sharpness is Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".
    """
    grey = picture.convert("L")
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    values = np.asarray(grey, dtype=np.float32)
    return Fingerprint(
        dhash=int.from_bytes(bits.tobytes(), "big"),
        brightness=float(values.mean()) / 255,
        sharpness=_laplacian_variance(values),
    )


def _laplacian_variance(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Of the 4-neighbour Laplacian where all neighbours exist; 0 for pictures less than 3 pixels wide or high."""
    if min(values.shape) < 3:
        return 0.0
    middle = values[1:-1, 1:-1]
    laplacian = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * middle
    return float(laplacian.var())
