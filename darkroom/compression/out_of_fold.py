"""Training images as evidence of what INT8 loses: each answered by a head of cross-validation that was not fitted to it.

The heads are linear and stay in float, so that INT8 changes nothing but the features that they are given.
"""

from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load_file

from darkroom.compression.int8 import PRODUCTS, calibration_rows
from darkroom.compression.parity import Paired
from darkroom.images.pack import Packed
from darkroom.inference.session import values_of
from darkroom.model.fold_heads import ANSWERS, FOLD_HEADS
from darkroom.runtime.arrays import Float32s, Int64s, UInt8s
from darkroom.runtime.errors import DarkroomError

# Some ten seconds of photographs on two cores.
MOST_IMAGES = 4096

# So many validation images can show a loss within half a point, and need no others.
ENOUGH_VALIDATION = 2000

# Training took features in bfloat16, the graph in float32: where the two best classes are this close, float answers anew.
CLOSE = 0.1


class OutOfFold:
    """The out-of-fold training images that set no ranges and chose no form.

    Attributes:
        images: their number.
    """

    def __init__(self, model: Path, graph: Path, train: Packed, used: Int64s) -> None:
        """Read the heads.

        Args:
            model: the folder with `FOLD_HEADS` and `ANSWERS`.
            graph: the float graph.
            train: the training images.
            used: the rows of those that set ranges, or chose among forms.

        Raises:
            DarkroomError: when the heads do not belong to these images.
        """
        stored, answers = load_file(model / FOLD_HEADS), np.load(model / ANSWERS, mmap_mode="r")
        self._weight, self._bias, folds = stored["weight"], stored["bias"], stored["fold"]
        if not len(folds) == len(answers) == len(train.labels):
            raise DarkroomError(
                f"{model / FOLD_HEADS} is of {len(folds):,} training images, and there are {len(train.labels):,}: "
                "run `dvc repro train`"
            )
        free = folds >= 0
        free[used] = False
        rows = np.flatnonzero(free)
        rows = rows[calibration_rows(train.keys()[rows], MOST_IMAGES, "evidence")]
        self.images = len(rows)
        self._graph, self._images, self._rows = graph, train.images, rows
        self._labels, self._folds = train.labels[rows], folds[rows]
        best = np.sort(answers[rows], axis=1)[:, -2:]
        self._float = answers[rows].argmax(axis=1)
        self._exact = np.zeros(len(rows), dtype=np.bool_)
        self._answer_in_float(np.flatnonzero(best[:, 1] - best[:, 0] < CLOSE))

    def compare(self, candidate: Path) -> Paired:
        """Count the images on which the heads predict otherwise with the features of a candidate."""
        found = self._predict(candidate, np.arange(self.images), "compare out of fold")
        self._answer_in_float(np.flatnonzero((found != self._float) & ~self._exact))
        before, after = self._float == self._labels, found == self._labels
        return Paired(
            self.images, int((before & ~after).sum()), int((after & ~before).sum()), int((found != self._float).sum())
        )

    def _answer_in_float(self, indices: Int64s) -> None:
        if len(indices):
            self._float[indices] = self._predict(self._graph, indices, None)
            self._exact[indices] = True

    def _predict(self, graph: Path, indices: Int64s, progress: str | None) -> Int64s:
        """The classes that the heads predict, with the features of a graph."""
        features = features_of(graph, self._images[self._rows[indices]], progress)
        classes = np.empty(len(indices), dtype=np.int64)
        for fold in range(len(self._weight)):
            held = self._folds[indices] == fold
            classes[held] = (features[held] @ self._weight[fold].T + self._bias[fold]).argmax(axis=1)
        return classes


def features_of(graph: Path, images: UInt8s, progress: str | None) -> Float32s:
    """What the last product of a graph is given, float32 [N, F]; images are uint8 [N, S, S, C]."""
    model = onnx.load(graph)
    head = [node for node in model.graph.node if node.op_type in PRODUCTS][-1]
    model.graph.output.append(onnx.ValueInfoProto(name=head.input[0]))
    return values_of(model.SerializeToString(), [head.input[0]], images, progress)[0].reshape(len(images), -1)


def open_out_of_fold(model: Path, graph: Path, train: Packed, used: Int64s, validation: int) -> OutOfFold | None:
    """The evidence of training images; None where the head was not fitted by cross-validation, none is needed, or none is left.

    Args:
        model, graph, train, used: as of `OutOfFold`.
        validation: how many validation images there are; by their number alone it is decided, before anything is compared.
    """
    if validation >= ENOUGH_VALIDATION or not (model / FOLD_HEADS).exists():
        return None
    found = OutOfFold(model, graph, train, used)
    # Few training images set the ranges all together.
    return found if found.images else None
