"""The report of an evaluation: what was found, drawn; and how it was found."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.model import ModelSpec
from darkroom.reporting.curves import Curves
from darkroom.reporting.figures import image_data_uri, is_small
from darkroom.reporting.linechart import linechart
from darkroom.reporting.pages import render_page
from darkroom.scoring.intervals import RESAMPLES
from darkroom.scoring.metrics import Int64s
from darkroom.scoring.scorecard import ClassRow, Scorecard, class_rows
from darkroom.scoring.vault import HeldOut

# A larger confusion matrix is a wall of zeros; its largest mistakes say more.
MATRIX_CLASSES = 30
PAIRS = 12
PAIRS_WITHOUT_MATRIX = 25


@dataclass(frozen=True)
class Mistake:
    """A test image that was named wrongly; the probabilities are those of the class named and of the right one."""

    uri: str
    crisp: bool
    path: str
    actual: str
    predicted: str
    confidence: float
    confidence_in_actual: float


def report_page(
    card: Scorecard,
    spec: ModelSpec,
    curves: Curves,
    held_out: HeldOut,
    probabilities: npt.NDArray[np.float32],
    gallery: int,
    provenance: dict[str, str],
) -> str:
    """The page `report.html`.

    Args:
        card: the scores.
        spec: of the model that was scored.
        curves: of its training.
        held_out: the test images.
        probabilities: float32 [N, K], what the model said of them.
        gallery: how many mistakes to show.
        provenance: versions by name, as in `metrics.json`.
    """
    names = spec.classes.names
    rows = class_rows(card, names)
    mistakes = int(card.counts.sum() - np.trace(card.counts))
    has_matrix = len(names) <= MATRIX_CLASSES
    return render_page(
        "report.html",
        card=card,
        headline=card.headline,
        level=f"{100 * card.confidence:g}%",
        spec=spec,
        preprocessing=spec.preprocessing,
        provenance=provenance,
        split_sizes=held_out.split_sizes,
        mistakes=mistakes,
        resamples=RESAMPLES,
        weakest=min((row for row in rows if row.images), key=lambda row: row.recall),
        epochs=len(curves.train["loss"]),
        charts=[
            linechart("Loss", curves.train["loss"], curves.validation["loss"], spec.epoch, percent=False),
            linechart("Accuracy", curves.train["accuracy"], curves.validation["accuracy"], spec.epoch, percent=True),
        ],
        curves=curves,
        names=names,
        matrix=card.counts.tolist() if has_matrix else None,
        short_names=max(len(name) for name in names) <= 3,
        pairs=confused_pairs(card.counts, names, PAIRS if has_matrix else PAIRS_WITHOUT_MATRIX),
        rows=sorted(rows, key=lambda row: (row.f1, row.name)),
        axis=_axis(rows),
        shown=surest_mistakes(held_out, probabilities, names, gallery),
    )


def confused_pairs(counts: Int64s, names: tuple[str, ...], at_most: int) -> list[dict[str, Any]]:
    """The mistakes made most often: actual, predicted, how many, which share of the class; class-list order among equals."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    cells = np.flatnonzero(wrong)
    order = cells[np.argsort(-wrong.ravel()[cells], kind="stable")][:at_most]
    return [
        {"actual": names[i], "predicted": names[j], "images": int(wrong[i, j]), "share": wrong[i, j] / counts[i].sum()}
        for i, j in (divmod(int(cell), len(names)) for cell in order)
    ]


def surest_mistakes(
    held_out: HeldOut, probabilities: npt.NDArray[np.float32], names: tuple[str, ...], at_most: int
) -> list[Mistake]:
    """The test images that were named wrongly with the highest confidence, surest first, id order among equals."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != held_out.labels)
    order = sorted(wrong.tolist(), key=lambda k: (-confidence[k], held_out.ids[k]))[:at_most]
    return [
        Mistake(
            uri=image_data_uri(held_out.images[k]),
            crisp=is_small(held_out.images[k]),
            path=held_out.paths[k],
            actual=names[held_out.labels[k]],
            predicted=names[predicted[k]],
            confidence=float(confidence[k]),
            confidence_in_actual=float(probabilities[k, held_out.labels[k]]),
        )
        for k in order
    ]


def _axis(rows: list[ClassRow]) -> float:
    """Where the scale of the per-class drawing begins: the tenth below the lowest end of any interval; it ends at 1."""
    ends = [row.recall_low for row in rows if row.images] + [row.precision_low for row in rows if row.named]
    return min(0.9, math.floor(min(ends) * 10) / 10)
