"""Both models on the same labelled images: what each predicts, and which images count."""

from dataclasses import dataclass

import numpy as np

from darkroom.compare.labelled import DataSplits, LabelledImages
from darkroom.compare.rescoring import all_classes, answers, in_classes
from darkroom.gate.sides import Side
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Bools, Float32s, Int64s


@dataclass(frozen=True)
class Scores:
    """Models on the test images of the candidate.

    Attributes:
        images: with their current labels.
        classes: all that labels and models have.
        labels: int64 [N], in `classes`.
        probabilities: by fingerprint of the model, float32 [N, K] in `classes`.
    """

    images: LabelledImages
    classes: ClassList
    labels: Int64s
    probabilities: dict[str, Float32s]

    def predicted(self, side: Side) -> Int64s:
        """The predicted class of each image, int64 [N]."""
        found: Int64s = self.probabilities[side.fingerprint].argmax(axis=1)
        return found

    def correct(self, side: Side) -> Bools:
        """Which images a model predicts correctly, bool [N]."""
        found: Bools = self.predicted(side) == self.labels
        return found


@dataclass(frozen=True)
class Pairs:
    """Two models on the images that the first was not trained on.

    Attributes:
        rows: int64 [n], positions of these images.
        trained_on: how many were left out, since the first model was trained on them or chosen by them.
        before, after: bool [n], what the first and the second model predict correctly.
        old: bool [n], images that the first model's data had; None where that is not known.
    """

    rows: Int64s
    trained_on: int
    before: Bools
    after: Bools
    old: Bools | None

    def counts(self, within: Bools | None = None) -> tuple[int, int, int]:
        """Images that only the first, and only the second, predicts correctly, and all of them; of some or of all."""
        before, after = (self.before, self.after) if within is None else (self.before[within], self.after[within])
        return int((before & ~after).sum()), int((after & ~before).sum()), len(before)


def score(images: LabelledImages, sides: list[Side]) -> Scores:
    """Have models answer the images from the bytes of their files.

    Args:
        images: to score.
        sides: the models; one that is there twice is asked once.

    Raises:
        DarkroomError: when a model can't read an image.
    """
    models = {side.fingerprint: side for side in sides}
    classes = all_classes(images.classes, *(side.bundle.classes for side in models.values()))
    found = {
        fingerprint: in_classes(
            answers(side.bundle, images.files(), images.paths, f"score {side.title}"), side.bundle.classes, classes
        )
        for fingerprint, side in models.items()
    }
    return Scores(images, classes, np.array([classes.names.index(label) for label in images.labels], np.int64), found)


def pair(scores: Scores, reference: Side, candidate: Side) -> Pairs:
    """Hold a candidate against a model, on the images that this one was not trained on.

    An image is found by its id, and by its bytes where its file was moved.
    """
    known, old = _known(scores.images, reference.data)
    rows = np.flatnonzero(~known)
    return Pairs(
        rows,
        int(known.sum()),
        scores.correct(reference)[rows],
        scores.correct(candidate)[rows],
        None if reference.data is None else old[rows],
    )


def _known(images: LabelledImages, data: DataSplits | None) -> tuple[Bools, Bools]:
    """Which images are among the training and validation images of some data, and which are in it at all; bool [N] each."""
    if data is None:
        return np.zeros(len(images), bool), np.zeros(len(images), bool)
    every = [set(data.images[name].to_pylist()) for name in ("id", "sha256")]
    training = [set(data.of(name, "train", "validation")) for name in ("id", "sha256")]
    found = [
        np.array(
            [image in ids or digest in hashes for image, digest in zip(images.ids, images.sha256, strict=True)], bool
        )
        for ids, hashes in (training, every)
    ]
    return found[0], found[1]
