"""Images whose label is probably wrong, for a person to look at: confident learning (Northcutt, Jiang, Chuang 2021, "Confident
learning: estimating uncertainty in dataset labels", JAIR 70), as cleanlab has it.

It compares labels with the answers of a model that did not learn them, and counts how often one class is taken for another
with the confidence that is usual for the latter.
"""

import copy
import csv
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from darkroom.images.pack import Packed
from darkroom.inference.device import choose_device, choose_precision
from darkroom.inference.features import features
from darkroom.labels.fixes import COLUMNS
from darkroom.model.classes import ClassList
from darkroom.network.load import Normalized
from darkroom.statistics.metrics import Int64s

Float32s = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SUSPECTS = pa.schema(
    [
        ("id", pa.string()),
        ("path", pa.string()),
        ("split", pa.string()),
        ("label", pa.string()),
        ("suggested", pa.string()),
        ("score", pa.float32()),
    ]
)

FOLDS = 5
# Of the heads, as scikit-learn's C. A weaker one lets the heads be sure of more: with 5% of 8,934 CIFAR-10 labels wrong, C = 1
# named 425 images, 69% of them wrong, 65% of the wrong ones; 0.1 named 339, 79%, 60%; 0.01 named 250, 87%, 48%. What else was
# tried there: docs/labels.md.
PENALTY = 0.1


def label_suspects(
    model: Normalized,
    train: Packed,
    validation: Packed,
    validation_probabilities: Float32s,
    classes: ClassList,
    paths: Mapping[str, str],
    settled: Collection[str],
) -> pa.Table:
    """Training and validation images whose label is probably wrong, the surest first.

    The network has learnt its training labels, the wrong ones too: training images are judged by `cross_validated_head`, and
    validation images by the network.

    Args:
        model: trained.
        train, validation: the arrays of the two splits.
        validation_probabilities: the model's answers, float32 [N, K], in the order of `validation`.
        classes: of the labels.
        paths: id → path, of the images of both splits at least.
        settled: paths of images that a reviewer has decided on (`darkroom.labels.fixes.settled_images`), left out.

    Returns:
        With the columns of `SUSPECTS`: `split` is `train` or `validation`, `suggested` the class to look at in place of
        `label`, `score` in [0, 1] the probability that the image was given of its own label by a model that did not learn it:
        0 is the most suspicious. Sorted by score, then path. Classes of fewer than `FOLDS` training images have no suspects.
    """
    # In channels_last the network is faster, and rounds in another way: the caller's stays as it is.
    copied = copy.deepcopy(model).to(choose_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision, _ = choose_precision("auto", choose_device())
    rows = features(copied, train.images, precision, kept=None).numpy()
    judged = np.bincount(train.labels, minlength=len(classes)) >= FOLDS
    answers = cross_validated_head(rows, train.labels, judged)
    tables = [
        _table("train", train, answers, judged, classes, paths),
        _table("validation", validation, validation_probabilities, judged, classes, paths),
    ]
    suspects = pa.concat_tables(tables)
    left = pc.invert(pc.is_in(suspects["path"], value_set=pa.array(sorted(settled), pa.string())))
    return suspects.filter(left).sort_by([("score", "ascending"), ("path", "ascending")])


def cross_validated_head(rows: Float32s, labels: Int64s, judged: Bools) -> Float32s:
    """The answers of linear heads, each fitted to four fifths of the images, for the fifth that it was not shown.

    The fifths are runs of images in the order given, each with its share of every class: pictures of one scene, which lie side
    by side, are held out together.

    Args:
        rows: features, float32 [N, F], or [N, F, H, W], which are averaged over the places.
        labels: int64 [N].
        judged: bool [K], whether a class has images enough; the images of others are shown to no head.

    Returns:
        float32 [N, K]; 0 where an image or a class is not judged.
    """
    # Imported here: it takes a second, and only this needs it.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    answers = np.zeros((len(labels), len(judged)), dtype=np.float32)
    shown = np.flatnonzero(judged[labels])
    if judged.sum() < 2:
        return answers
    flat = rows.reshape(*rows.shape[:2], -1).mean(2)
    flat = (flat - flat.mean(0)) / np.maximum(flat.std(0), 1e-6)
    for fitted, held_out in StratifiedKFold(FOLDS).split(shown, labels[shown]):
        head = LogisticRegression(C=PENALTY, max_iter=100, tol=1e-3).fit(flat[shown[fitted]], labels[shown[fitted]])
        answers[np.ix_(shown[held_out], head.classes_)] = head.predict_proba(flat[shown[held_out]])
    return answers


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


def _table(
    split: str, images: Packed, answers: Float32s, judged: Bools, classes: ClassList, paths: Mapping[str, str]
) -> pa.Table:
    """The suspects of one split."""
    shown = np.flatnonzero(judged[images.labels])
    found = shown[find_suspects(answers[shown], images.labels[shown])]
    ids, labels = [images.ids[row].decode("ascii") for row in found], images.labels[found]
    columns = [
        ids,
        [paths[name] for name in ids],
        [split] * len(found),
        [classes.names[label] for label in labels],
        [classes.names[answer] for answer in answers[found].argmax(1)],
        answers[found, labels],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SUSPECTS, strict=True)]
    return pa.table(arrays, schema=SUSPECTS)


def write_suspects(suspects: pa.Table, path: Path) -> None:
    """Write `label_suspects.csv`, whose rows can be copied to `data/label_fixes.csv` when `reviewer` is filled in.

    Args:
        suspects: with the columns of `SUSPECTS`.
        path: of the file to write.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in suspects.to_pylist():
            reason = (
                f"{row['split']}: labelled {row['label']}, which gets {row['score']:.0%}; looks like {row['suggested']}"
            )
            writer.writerow([row["path"], "relabel", row["suggested"], "", reason])
