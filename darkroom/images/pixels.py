"""From a decoded picture to the array that a network takes: the one rule that training, evaluation and serving share."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

UInt8s = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become numbers; it travels with the weights.

    Attributes:
        size: side of the square, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: `crop` cuts the longer side about the middle, `pad` adds black about the middle, `stretch` does neither.
        mean: for each channel, of values in [0, 1], over the training images.
        std: likewise, the standard deviation.
    """

    size: int
    channels: int
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def to_pixels(picture: Image.Image, size: int, channels: int, resize: str) -> UInt8s:
    """Convert and resize one picture.

    Args:
        picture: in mode `L` or `RGB`, as `darkroom.images.decode.decode` gives it.
        size, channels, resize: as in `Preprocessing`.

    Returns:
        uint8 [size, size, channels]. Resizing is Pillow's bilinear filter, which widens with the reduction and so does
        not alias; grey is ITU-R 601 luma.
    """
    plain = picture.convert("L" if channels == 1 else "RGB")
    if plain.size != (size, size):
        if resize == "crop":
            plain = ImageOps.fit(plain, (size, size), method=Image.Resampling.BILINEAR)
        elif resize == "pad":
            plain = _pad(plain, size)
        else:
            plain = plain.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(plain).reshape(size, size, channels)


def _pad(picture: Image.Image, size: int) -> Image.Image:
    """Fit a picture into a black square. Pillow's own `ImageOps.pad` loses pictures whose shorter side rounds to nothing."""
    longer = max(picture.size)
    width, height = (max(1, round(side * size / longer)) for side in picture.size)
    square = Image.new(picture.mode, (size, size))
    square.paste(
        picture.resize((width, height), Image.Resampling.BILINEAR), ((size - width) // 2, (size - height) // 2)
    )
    return square
