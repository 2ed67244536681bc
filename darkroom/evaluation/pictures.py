"""Pictures of the evaluation page: test images with their predictions, mean heat maps, label suspects, damaged copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.drawing.pictures import heatmap_data_uri, image_data_uri, is_small
from darkroom.evaluation.error_analysis import RobustnessCurve
from darkroom.evaluation.label_errors import Suspect
from darkroom.images.pack import load_packed
from darkroom.inference.explained import Explained
from darkroom.runtime.arrays import Float32s, Images, Int64s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.inputs import read_input_table

# Of a photograph in a gallery, and of one in a cell of the confusion matrix, of which there may be hundreds.
GALLERY_SIDE, CELL_SIDE = 160, 80


@dataclass(frozen=True)
class PredictedImages:
    """The test images with their calibrated predictions, in the order of the arrays.

    Attributes:
        images: uint8 [N, S, S, C], memory-mapped.
        labels, predicted: int64 [N].
        probabilities: float32 [N, K].
        ids, paths: of the images.
    """

    images: Images
    labels: Int64s
    predicted: Int64s
    probabilities: Float32s
    ids: list[str]
    paths: list[str]

    @property
    def confidence(self) -> Float32s:
        """Of the predicted classes, float32 [N]."""
        confidence: Float32s = self.probabilities.max(axis=1)
        return confidence


def open_predicted_images(arrays: Path, predictions: Path, names: Sequence[str]) -> PredictedImages:
    """Put the pictures beside their predictions.

    Args:
        arrays: the folder `data/preprocess/test`.
        predictions: `predictions.parquet` of evaluate.
        names: in class-list order.

    Raises:
        DarkroomError: when the two are not of the same images.
    """
    packed, table = load_packed(arrays), read_input_table(predictions)
    ids: list[str] = table["id"].to_pylist()
    if [image_id.decode("ascii") for image_id in packed.ids.tolist()] != ids:
        raise DarkroomError(f"{predictions} is not of the images in {arrays}: run `dvc repro evaluate`")
    number = {name: k for k, name in enumerate(names)}
    labels, predicted = (
        np.array([number[name] for name in table[column].to_pylist()], np.int64) for column in ("label", "predicted")
    )
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy().reshape(-1, len(names))
    return PredictedImages(packed.images, labels, predicted, probabilities, ids, table["path"].to_pylist())


@dataclass(frozen=True)
class Frame:
    """One test image.

    Attributes:
        uri: the picture as a `src`.
        heat: its heat map as a `src`, empty where there is none.
        crisp: whether its pixels are shown as squares.
        path: of the image in its source.
        actual, predicted: class names.
        confidence: of the predicted class.
        confidence_in_actual: of the true class.
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

    def __init__(self, test: PredictedImages, names: Sequence[str], explained: Explained) -> None:
        self._test = test
        self._names = names
        self._heat = explained.heat

    def of(self, rows: Sequence[int], side: int, heat: bool = False) -> list[Frame]:
        """The frames of the images at these positions.

        Args:
            rows: positions in the test split.
            side: of a photograph, in pixels.
            heat: whether with heat maps, which these images must have then.
        """
        return [self._frame(row, side, heat) for row in rows]

    def _frame(self, row: int, side: int, heat: bool) -> Frame:
        test, pixels = self._test, self._test.images[row]
        label, predicted = int(test.labels[row]), int(test.predicted[row])
        return Frame(
            uri=image_data_uri(pixels, side),
            heat=heatmap_data_uri(pixels, self._heat[row]) if heat else "",
            crisp=is_small(pixels),
            path=test.paths[row],
            actual=self._names[label],
            predicted=self._names[predicted],
            confidence=float(test.probabilities[row, predicted]),
            confidence_in_actual=float(test.probabilities[row, label]),
        )


@dataclass(frozen=True)
class MeanMap:
    """The mean heat map of a class over the mean of its images."""

    name: str
    uri: str
    images: int


def mean_heat(test: PredictedImages, explained: Explained, names: Sequence[str]) -> list[MeanMap]:
    """A picture for each class that has explained images, the weakest class first."""
    shown = []
    for k, rows in explained.choice.typical.items():
        pixels = np.stack([test.images[row] for row in rows]).mean(axis=0)
        mean = mean_map(np.stack([explained.heat[row] for row in rows]))
        shown.append(MeanMap(names[k], heatmap_data_uri(np.rint(pixels).astype(np.uint8), mean), len(rows)))
    return shown


def mean_map(maps: Float32s) -> Float32s:
    """The mean of heat maps, scaled so that its largest value is 1: float32 [S, S] of [N, S, S]; zeros without heat."""
    mean = maps.mean(axis=0, dtype=np.float64)
    scaled: Float32s = (mean / max(mean.max(), np.finfo(np.float64).tiny)).astype(np.float32)
    return scaled


@dataclass(frozen=True)
class SuspectFrame:
    """An image whose label is probably wrong, and its picture."""

    uri: str
    crisp: bool
    suspect: Suspect


def suspect_frames(suspects: Sequence[Suspect], arrays: Path) -> list[SuspectFrame]:
    """The pictures of suspects, from the arrays of their splits in the folder `data/preprocess`."""
    packed = {split: load_packed(arrays / split) for split in ("train", "validation")}
    frames = []
    for each in suspects:
        split = packed[each.split]
        pixels = split.images[int(np.flatnonzero(split.ids == each.id.encode())[0])]
        frames.append(SuspectFrame(image_data_uri(pixels, GALLERY_SIDE), is_small(pixels), each))
    return frames


def damaged_pictures(copies: UInt8s, curves: Sequence[RobustnessCurve]) -> list[tuple[str, list[tuple[str, str]]]]:
    """An image at each severity of each kind of damage, as (`src`, what was done), by the name of the kind.

    Args:
        copies: uint8 [kinds, severities, S, S, C].
        curves: of these kinds; none where robustness was not measured.
    """
    return [
        (curve.name, [(image_data_uri(copy, GALLERY_SIDE), text) for copy, text in zip(of_kind, texts, strict=True)])
        for of_kind, curve in zip(copies, curves, strict=False)
        for texts in [curve.labels_of_severity]
    ]
