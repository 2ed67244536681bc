"""UInt8ss made worse in five steps, as cameras and channels do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.seeding import seed_of


@dataclass(frozen=True)
class Corruption:
    """One way to make a picture worse.

    Attributes:
        name: for the page.
        amounts: of the five severities, the mildest first.
        text: an amount in words, for a picture with sides of so many pixels.
        apply: picture uint8 [S, S, C], amount and the image's id to a new picture of the same shape.
    """

    name: str
    amounts: tuple[float, ...]
    text: Callable[[float, int], str]
    apply: Callable[[UInt8s, float, str], UInt8s]


def blur(picture: UInt8s, amount: float, image_id: str) -> UInt8s:
    """A Gaussian blur whose deviation is `amount` of the picture's longer side."""
    sigma = amount * max(picture.shape[:2])
    # OpenCV drops a last axis of one channel.
    return _bytes(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)).reshape(picture.shape)


def noise(picture: UInt8s, amount: float, image_id: str) -> UInt8s:
    """Gaussian noise in every value, of a deviation that is `amount` of the full range; the same for an image every time."""
    drawn = np.random.default_rng(seed_of("noise", image_id)).standard_normal(picture.shape, dtype=np.float32)
    return _bytes(np.clip(np.rint(picture + np.float32(255 * amount) * drawn), 0, 255))


def darken(picture: UInt8s, amount: float, image_id: str) -> UInt8s:
    """Every value times `amount`: less light on the same scene."""
    return _bytes(np.rint(picture * np.float32(amount)))


def jpeg(picture: UInt8s, amount: float, image_id: str) -> UInt8s:
    """Written as JPEG of quality `amount` and read again."""
    kind = "GRAY" if picture.shape[2] == 1 else "RGB"
    written = simplejpeg.encode_jpeg(np.ascontiguousarray(picture), int(amount), kind, "420")
    return _bytes(simplejpeg.decode_jpeg(written, kind))


def _bytes(values: npt.NDArray[Any]) -> UInt8s:
    return np.asarray(values, dtype=np.uint8)


# The kinds and their span follow Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common
# corruptions and perturbations". Blur is a share of the side, so that it means the same at 28 and at 224 pixels; theirs are
# 0.012 to 0.03 of 32 pixels and 0.004 to 0.027 of 224, and less than 0.012 of 28 pixels changes nothing.
CORRUPTIONS = (
    Corruption("blur", (0.0125, 0.018, 0.025, 0.033, 0.045), lambda a, side: f"sigma {a * side:.2g} px", blur),
    Corruption("noise", (0.02, 0.04, 0.08, 0.12, 0.18), lambda a, side: f"sigma {255 * a:.0f} of 255", noise),
    Corruption("brightness", (0.8, 0.6, 0.45, 0.3, 0.2), lambda a, side: f"{a:.0%} of the light", darken),
    Corruption("JPEG loss", (80, 50, 25, 15, 8), lambda a, side: f"quality {a:.0f}", jpeg),
)


def damaged_copies(image: UInt8s, image_id: str) -> UInt8s:
    """An image as it is and at each severity of each kind of damage, uint8 [kinds, 6, S, S, C]."""
    return np.stack(
        [np.stack([image, *(kind.apply(image, amount, image_id) for amount in kind.amounts)]) for kind in CORRUPTIONS]
    )
