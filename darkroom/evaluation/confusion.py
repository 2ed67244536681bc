"""The confusion matrix of the page: its cells, the most frequent mistakes, and the images behind them."""

from dataclasses import dataclass

import numpy as np

from darkroom.evaluation.pictures import CELL_SIDE, Frame, Frames, PredictedImages
from darkroom.inference.explained import ordered
from darkroom.runtime.arrays import Int64s
from darkroom.statistics.metrics import confusion_counts

# A larger confusion matrix is a wall of zeros; its largest mistakes say more.
MATRIX_CLASSES = 30
PAIRS = 12
PAIRS_WITHOUT_MATRIX = 25
# Pictures behind the cells: of one cell, and of all. A photograph of 80 pixels takes some 2.5 kB of page.
OF_A_CELL, OF_ALL_CELLS = 12, 800


@dataclass(frozen=True)
class Cell:
    """The test images of one class that were predicted as one class.

    Attributes:
        anchor: of their pictures on the page.
        actual, predicted: class names.
        images: how many.
        share: of the images of the class.
        frames: those shown; of mistakes the most confident, of correct predictions the least confident.
    """

    anchor: str
    actual: str
    predicted: str
    images: int
    share: float
    frames: list[Frame]


@dataclass(frozen=True)
class Confusion:
    """Cells by actual and predicted class; the matrix is left out where there are many classes.

    Attributes:
        matrix: actual down, predicted across; None for no image.
        pairs: the mistakes made most often.
        cells: all that have pictures.
    """

    matrix: list[list[Cell | None]]
    pairs: list[Cell]
    cells: list[Cell]


def confusion(test: PredictedImages, names: tuple[str, ...], frames: Frames) -> Confusion:
    """The matrix with the images behind it.

    Args:
        test: the test images with their predictions.
        names: in class-list order.
        frames: to make pictures with.
    """
    counts = confusion_counts(test.labels, test.predicted, len(names))
    has_matrix = len(names) <= MATRIX_CLASSES
    pairs = confused_pairs(counts, PAIRS if has_matrix else PAIRS_WITHOUT_MATRIX)
    places = list(zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True)) if has_matrix else pairs
    each = max(1, min(OF_A_CELL, OF_ALL_CELLS // max(1, len(places))))
    rows = _rows(test, len(names))
    cells = {
        (i, j): Cell(
            anchor=f"cell-{i}-{j}",
            actual=names[i],
            predicted=names[j],
            images=int(counts[i, j]),
            share=float(counts[i, j] / counts[i].sum()),
            frames=frames.of(rows[i * len(names) + j][:each], CELL_SIDE),
        )
        for i, j in places
    }
    return Confusion(
        matrix=[[cells.get((i, j)) for j in range(len(names))] for i in range(len(names))] if has_matrix else [],
        pairs=[cells[place] for place in pairs],
        cells=list(cells.values()),
    )


def _rows(test: PredictedImages, classes: int) -> dict[int, list[int]]:
    """The images of each cell `i * K + j`: where correct, the least confident first; where wrong, the most confident."""
    confidence, cell = test.confidence, test.labels * classes + test.predicted
    order = ordered(np.arange(len(cell)), np.where(test.labels == test.predicted, confidence, -confidence), test.ids)
    rows: dict[int, list[int]] = {}
    for row in order:
        rows.setdefault(int(cell[row]), []).append(row)
    return rows


def confused_pairs(counts: Int64s, at_most: int) -> list[tuple[int, int]]:
    """The mistakes made most often, as (actual, predicted), in class-list order among equals.

    Args:
        counts: int64 [K, K], actual down, predicted across.
        at_most: how many pairs.
    """
    wrong: Int64s = counts.copy()
    np.fill_diagonal(wrong, 0)
    cells = np.flatnonzero(wrong)
    order = cells[np.argsort(-wrong.ravel()[cells], kind="stable")][:at_most]
    return [divmod(int(cell), len(counts)) for cell in order]
