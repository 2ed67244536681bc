"""Images whose label is probably wrong, for a person to look at: confident learning (Northcutt, Jiang, Chuang 2021, "Confident
learning: estimating uncertainty in dataset labels", JAIR 70), as cleanlab has it.

It compares labels with the answers of a model that did not learn them, and counts how often one class is taken for another
with the confidence that is usual for the latter.
"""

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.inference.predictions import Predictions, SplitPredictions
from darkroom.labels.fixes import COLUMNS
from darkroom.runtime.arrays import Bools, Float32s, Int64s
from darkroom.runtime.text import csv_cell


@dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes:
        id, path: of the image.
        split: `train` or `validation`.
        label: as it is.
        suggested: the class to look at in place of it.
        score: in [0, 1], the probability that a model which did not learn the image gives to its label: 0 is the most
            suspicious.
    """

    id: str
    path: str
    split: str
    label: str
    suggested: str
    score: float


def label_suspects(predictions: Predictions, validation_probabilities: Float32s) -> list[Suspect]:
    """Training and validation images whose label is probably wrong, the lowest score first, then by path.

    The network has learnt its training labels, the wrong ones too: training images are judged by their out-of-fold
    answers, and validation images by the network. Classes of too few training images for out-of-fold answers have no
    suspects, and images on which a reviewer has decided are left out.

    Args:
        predictions: of the network.
        validation_probabilities: float32 [N, K], calibrated.
    """
    names, train = predictions.run.classes, predictions.train
    judged = np.zeros(len(names), dtype=bool)
    judged[train.labels[train.answers.any(axis=1)]] = True
    found = [
        *_suspects("train", train, train.answers, judged, names),
        *_suspects("validation", predictions.validation, validation_probabilities, judged, names),
    ]
    return sorted(found, key=lambda each: (each.score, each.path))


def _suspects(
    split: str, images: SplitPredictions, answers: Float32s, judged: Bools, names: tuple[str, ...]
) -> list[Suspect]:
    rows = np.flatnonzero(judged[images.labels])
    rows = rows[find_suspects(answers[rows], images.labels[rows])]
    rows = rows[~np.asarray(images.rows["reviewed"].to_numpy()[rows], dtype=bool)]
    known = images.rows.select(["id", "path", "label"]).take(rows).to_pylist()
    return [
        Suspect(
            split=split,
            suggested=names[int(answers[row].argmax())],
            score=float(answers[row, images.labels[row]]),
            **image,
        )
        for row, image in zip(rows.tolist(), known, strict=True)
    ]


def find_suspects(answers: Float32s, labels: Int64s) -> Bools:
    """Which labels are probably wrong, bool [N].

    Args:
        answers: out-of-sample probabilities, float32 [N, K].
        labels: int64 [N].
    """
    from cleanlab.filter import find_label_issues

    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), dtype=bool)
    with warnings.catch_warnings():
        # Of classes that this split has no image of.
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        # As many as confident learning counts; of all that are given little of their own label, the least.
        found = find_label_issues(labels, answers, filter_by="low_self_confidence", n_jobs=1)
    suspicious: Bools = found & (answers.argmax(1) != labels)
    return suspicious


def write_suspects(suspects: list[Suspect], path: Path) -> None:
    """Write `label_suspects.csv`, whose rows can be copied to `data/label_fixes.csv` when `reviewer` is filled in."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in suspects:
            reason = f"{each.split}: labelled {each.label}, which gets {each.score:.0%}; looks like {each.suggested}"
            writer.writerow([csv_cell(each.path), "relabel", csv_cell(each.suggested), "", csv_cell(reason)])
