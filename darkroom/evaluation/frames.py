"""Test images as a page shows them: the picture, what it is, what it was named, and how surely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.drawing.pictures import heatmap_data_uri, image_data_uri, is_small
from darkroom.evaluation.test_split import HeldOut

Heat = Mapping[int, npt.NDArray[np.float32]]

# Of a photograph in a gallery, and of one in a cell of the confusion matrix, of which there may be hundreds.
GALLERY_SIDE, CELL_SIDE = 160, 80


@dataclass(frozen=True)
class Frame:
    """One test image.

    Attributes:
        uri: the picture as a `src`.
        heat: its heat map as a `src`, empty where there is none.
        crisp: whether its pixels are shown as squares.
        path: of the image in its source.
        actual, predicted: class names.
        confidence: of the class named.
        confidence_in_actual: of the right class.
    """

    uri: str
    heat: str
    crisp: bool
    path: str
    actual: str
    predicted: str
    confidence: float
    confidence_in_actual: float


class Frames:
    """Makes frames of test images."""

    def __init__(
        self, held_out: HeldOut, probabilities: npt.NDArray[np.float32], names: Sequence[str], heat: Heat
    ) -> None:
        """`probabilities` are float32 [N, K], calibrated; `heat` has the maps of some images, by position."""
        self._held_out = held_out
        self._probabilities = probabilities
        self._names = names
        self._heat = heat

    def of(self, rows: Sequence[int], side: int, heat: bool = False) -> list[Frame]:
        """The frames of the images at these positions.

        Args:
            rows: positions in the test arrays.
            side: of a photograph, in pixels.
            heat: whether with heat maps, which must be there then.
        """
        return [self._frame(row, side, heat) for row in rows]

    def _frame(self, row: int, side: int, heat: bool) -> Frame:
        pixels, label = self._held_out.images[row], int(self._held_out.labels[row])
        named = int(self._probabilities[row].argmax())
        return Frame(
            uri=image_data_uri(pixels, side),
            heat=heatmap_data_uri(pixels, self._heat[row]) if heat else "",
            crisp=is_small(pixels),
            path=self._held_out.paths[row],
            actual=self._names[label],
            predicted=self._names[named],
            confidence=float(self._probabilities[row, named]),
            confidence_in_actual=float(self._probabilities[row, label]),
        )
