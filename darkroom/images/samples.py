"""Samples: the values of a file that holds other than 8 bits a value, as they are in the file."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.images.pillow_decoder import UnreadableImage
from darkroom.model.depth import Scale

Values = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Samples:
    """A picture as its file has it: not turned, and in its own values.

    Attributes:
        values: [H, W, C], C being 1 (grey) or 3 (RGB).
        alpha: [H, W, 1] of the same type, 0 where the picture is transparent; None where it is opaque.
        kind: of the values: `uint16`, `uint12`, `int16`, … or `float`.
        declared: what the file says are its black and white; None where it says nothing.
        inverted: whether the lowest value is white.
        premultiplied: whether the values were multiplied with alpha.
        mode, format, frames: as in `darkroom.images.pillow_decoder.Decoded`; the mode has `;` and the bits behind it.
        orientation: 1 to 8.
    """

    values: Values
    alpha: Values | None
    kind: str
    declared: Scale | None
    inverted: bool
    premultiplied: bool
    mode: str
    format: str
    frames: int
    orientation: int

    @property
    def range(self) -> Scale:
        """The lowest and the highest value."""
        return float(self.values.min()), float(self.values.max())


def make_samples(
    values: Values,
    colours: int,
    kind: str,
    declared: Scale | None,
    file_format: str,
    *,
    frames: int = 1,
    orientation: int = 1,
    inverted: bool = False,
    premultiplied: bool = False,
) -> Samples:
    """Divide colours from alpha; refuse values that are no numbers, and pictures without any."""
    if not values.size:
        raise UnreadableImage("it has no pixels")
    if kind == "float" and not np.isfinite(values).all():
        missing = values.size - int(np.isfinite(values).sum())
        raise UnreadableImage(f"{missing:,} of its {values.size:,} values are not finite numbers")
    alpha = values[..., colours:] if values.shape[2] > colours else None
    name = ("L" if colours == 1 else "RGB") + ("" if alpha is None else "A")
    bits = "F" if kind == "float" else kind.removeprefix("u").removeprefix("int") + ("" if kind[0] == "u" else "S")
    mode = "F" if (name, bits) == ("L", "F") else f"{'I' if name == 'L' else name};{bits}"
    return Samples(
        values[..., :colours],
        alpha,
        kind,
        declared,
        inverted,
        premultiplied,
        mode,
        file_format,
        frames,
        orientation,
    )
