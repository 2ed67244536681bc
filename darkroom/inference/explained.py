"""Which test images are explained, and their heat maps as files: chosen and written by predict, shown by report."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkroom.runtime.arrays import Float32s, Int64s, UInt8s
from darkroom.runtime.files import write_json
from darkroom.runtime.inputs import read_input_json, stage_input
from darkroom.statistics.temperature import softmax

# Mean heat maps: of so many classes, the weakest first, from so many images in all and of one class.
MAPPED_CLASSES = 30
MAPPED_IMAGES, MAPPED_OF_A_CLASS = 160, 16

FILE, MAPS, DAMAGED = "explained.json", "heatmaps.npy", "damaged.npy"


@dataclass(frozen=True)
class Choice:
    """Positions in the test split.

    Attributes:
        mistakes: predicted wrongly with the highest confidence, highest first.
        unsure: predicted correctly with the lowest confidence, lowest first.
        typical: by class, images predicted as it, correctly or not, evenly spaced: what the mean heat maps are made of.
    """

    mistakes: list[int]
    unsure: list[int]
    typical: dict[int, list[int]]

    def rows(self) -> list[int]:
        """All of them, each once, ascending."""
        return sorted({*self.mistakes, *self.unsure, *(row for rows in self.typical.values() for row in rows)})


def choose_images(logits: Float32s, labels: Int64s, ids: list[str], gallery: int) -> Choice:
    """Choose the images; among equal confidences the order of their ids decides.

    The confidences are those before calibration, which comes later: with more than two classes a temperature may move an image
    past another one, so that at the end of a gallery another image may stand than calibrated confidences would choose.

    Args:
        logits: float32 [N, K].
        labels: int64 [N].
        ids: of the images.
        gallery: how many of the most confident mistakes and of the least confident correct answers.
    """
    probabilities = softmax(logits)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == labels
    predictions = np.bincount(predicted, minlength=logits.shape[1])
    either = predictions + np.bincount(labels, minlength=logits.shape[1])
    f1 = 2 * np.bincount(labels[correct], minlength=logits.shape[1]) / np.maximum(either, 1)
    weakest = sorted(np.flatnonzero(predictions).tolist(), key=lambda k: (f1[k], k))[:MAPPED_CLASSES]
    each = max(1, min(MAPPED_OF_A_CLASS, MAPPED_IMAGES // len(weakest)))
    return Choice(
        mistakes=ordered(np.flatnonzero(~correct), -confidence, ids)[:gallery],
        unsure=ordered(np.flatnonzero(correct), confidence, ids)[:gallery],
        typical={k: spaced(np.flatnonzero(predicted == k), each) for k in weakest},
    )


def ordered(rows: npt.NDArray[np.intp], keys: Float32s, ids: list[str]) -> list[int]:
    """Rows by their keys, the lowest first, ids deciding among equals."""
    return sorted(rows.tolist(), key=lambda row: (float(keys[row]), ids[row]))


def spaced(rows: npt.NDArray[np.intp], at_most: int) -> list[int]:
    """At most so many of the rows, evenly spaced."""
    if not len(rows):
        return []
    places = np.unique(np.linspace(0, len(rows) - 1, min(at_most, len(rows))).astype(np.int64))
    return [int(row) for row in rows[places]]


@dataclass(frozen=True)
class Explained:
    """The explained images; positions are those in the test split.

    Attributes:
        method: `grad-cam` or `occlusion`.
        text: two sentences for the page: what is shown, and where it was measured.
        gallery: how many images each gallery shows at most.
        choice: the images.
        heat: by position, float32 [S, S] in [0, 1].
        damaged: one test image at each severity of each kind of damage, uint8 [kinds, severities, S, S, C]; none without.
    """

    method: str
    text: str
    gallery: int
    choice: Choice
    heat: dict[int, Float32s]
    damaged: UInt8s

    def save(self, folder: Path) -> None:
        """Write `explained.json`, `heatmaps.npy` (uint8 [M, S, S], 255 for 1, ascending positions) and `damaged.npy`."""
        content = {"method": self.method, "text": self.text, "gallery": self.gallery, "choice": asdict(self.choice)}
        write_json(folder / FILE, content)
        maps = np.stack([self.heat[row] for row in self.choice.rows()])
        np.save(folder / MAPS, np.rint(255 * maps).astype(np.uint8))
        np.save(folder / DAMAGED, self.damaged)


@stage_input
def load_explained(folder: Path) -> Explained:
    """Read what `Explained.save` wrote."""
    content = read_input_json(folder / FILE)
    stored = content.pop("choice")
    typical = {int(k): rows for k, rows in stored.pop("typical").items()}
    choice = Choice(typical=typical, **stored)
    maps = np.load(folder / MAPS).astype(np.float32) / np.float32(255)
    heat = dict(zip(choice.rows(), maps, strict=True))
    return Explained(**content, choice=choice, heat=heat, damaged=np.load(folder / DAMAGED))
