"""Answers to training images from models that did not learn their labels: what confident learning compares labels with."""

import copy
from pathlib import Path

import numpy as np
import torch

from darkroom.inference.device import choose_precision
from darkroom.inference.features import features
from darkroom.model.fold_heads import ANSWERS, FOLD_HEADS
from darkroom.network.load import Normalized
from darkroom.runtime.arrays import Bools, Float32s, Images, Int64s
from darkroom.runtime.errors import DarkroomError

FOLDS = 5
# Of the heads, as scikit-learn's C. A weaker one makes the heads more confident: with 5% of 8,934 CIFAR-10 labels wrong, C = 1
# listed 425 images, 69% of them wrong, 65% of the wrong ones; 0.1 listed 339, 79%, 60%; 0.01 listed 250, 87%, 48%. What else
# was tried there: docs/labels.md.
PENALTY = 0.1


def training_answers(
    folder: Path, model: Normalized, images: Images, labels: Int64s, classes: int, device: torch.device
) -> tuple[bool, Float32s]:
    """The answers out of fold: those that `train` wrote, where it fitted the last layer by cross-validation; else made here.

    Args:
        folder: that `train` wrote.
        model, images, labels, classes, device: as for `out_of_fold`.

    Returns:
        Whether they are those of the network's own heads of cross-validation: then they are also how sure the network itself is
        of images that it did not learn. Those that `train` leaves of a network that it fine-tuned are of the frozen one.
        And the probabilities float32 [N, K].

    Raises:
        DarkroomError: when there are not as many as images.
    """
    written = folder / ANSWERS
    if not written.is_file():
        return False, out_of_fold(model, images, labels, classes, device)
    answers: Float32s = np.load(written)
    if answers.shape != (len(images), classes):
        raise DarkroomError(
            f"{written} has answers of the shape {answers.shape} for {len(images):,} training images of {classes} classes: "
            "run `dvc repro train`"
        )
    return (folder / FOLD_HEADS).is_file(), answers


def out_of_fold(model: Normalized, images: Images, labels: Int64s, classes: int, device: torch.device) -> Float32s:
    """Probabilities from linear heads on the network's features; the network itself has learnt these labels, wrong ones too.

    Args:
        model: trained; it stays as it is.
        images: uint8 [N, S, S, C], the training images.
        labels: int64 [N].
        classes: K, how many there are.
        device: where to compute the features, in the processor's short precision where it has one.

    Returns:
        float32 [N, K], as `cross_validated_head` gives them; classes of fewer than `FOLDS` images are not judged.
    """
    # In channels_last the network is faster, and rounds in another way: the caller's stays as it is.
    copied = copy.deepcopy(model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision, _ = choose_precision("auto", device)
    rows = features(copied, images, precision, cache=None).numpy()
    return cross_validated_head(rows, labels, np.bincount(labels, minlength=classes) >= FOLDS)


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
