"""What is taken for what: the matrix, its largest mistakes, and the images behind each of its cells."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.examples import ordered
from darkroom.evaluation.frames import CELL_SIDE, Frame, Frames
from darkroom.evaluation.test_split import HeldOut
from darkroom.statistics.metrics import Int64s

# A larger confusion matrix is a wall of zeros; its largest mistakes say more.
MATRIX_CLASSES = 30
PAIRS = 12
PAIRS_WITHOUT_MATRIX = 25
# Pictures behind the cells: of one cell, and of all. A photograph of 80 pixels takes some 2.5 kB of page.
OF_A_CELL, OF_ALL_CELLS = 12, 800


@dataclass(frozen=True)
class Cell:
    """The test images of one class that were named after one class.

    Attributes:
        anchor: where on the page their pictures stand.
        actual, predicted: class names.
        images: how many.
        share: of the images of the class.
        frames: those shown; of mistakes the surest, of correct answers the least sure.
    """

    anchor: str
    actual: str
    predicted: str
    images: int
    share: float
    frames: list[Frame]


@dataclass(frozen=True)
class Confusion:
    """Cells by their place; the matrix is left out where there are many classes.

    Attributes:
        matrix: actual down, predicted across; None for no image.
        pairs: the mistakes made most often.
        cells: all that have pictures.
    """

    matrix: list[list[Cell | None]]
    pairs: list[Cell]
    cells: list[Cell]


def confusion(found: Evaluation, held_out: HeldOut, names: tuple[str, ...], frames: Frames) -> Confusion:
    """The matrix with the images behind it.

    Args:
        found: the evaluation.
        held_out: the test images.
        names: in class-list order.
        frames: to make pictures with.
    """
    counts = found.card.counts
    has_matrix = len(names) <= MATRIX_CLASSES
    pairs = confused_pairs(counts, PAIRS if has_matrix else PAIRS_WITHOUT_MATRIX)
    places = list(zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True)) if has_matrix else pairs
    each = max(1, min(OF_A_CELL, OF_ALL_CELLS // max(1, len(places))))
    rows = _rows(found, held_out, counts.shape[0])
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


def _rows(found: Evaluation, held_out: HeldOut, classes: int) -> dict[int, list[int]]:
    """The images of each cell `i * K + j`: where right, the least sure first; where wrong, the surest."""
    sure = found.probabilities.max(axis=1)
    place = held_out.labels * classes + found.probabilities.argmax(axis=1)
    order = ordered(np.arange(len(place)), np.where(found.right, sure, -sure), held_out.ids)
    rows: dict[int, list[int]] = {}
    for row in order:
        rows.setdefault(int(place[row]), []).append(row)
    return rows


def confused_pairs(counts: Int64s, at_most: int) -> list[tuple[int, int]]:
    """The mistakes made most often, as (actual, predicted), in class-list order among equals.

    Args:
        counts: int64 [K, K], actual down, predicted across.
        at_most: how many pairs.
    """
    wrong: npt.NDArray[np.int64] = counts.copy()
    np.fill_diagonal(wrong, 0)
    cells = np.flatnonzero(wrong)
    order = cells[np.argsort(-wrong.ravel()[cells], kind="stable")][:at_most]
    return [divmod(int(cell), len(counts)) for cell in order]
