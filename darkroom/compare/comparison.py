"""Which of two models is better, overall and class by class, with tests and intervals; nothing is read here."""

from dataclasses import dataclass

import numpy as np

from darkroom.compare.predictions import RevisionPredictions, SharedPredictions, shared_predictions
from darkroom.evaluation.coverage import RiskCoverage, risk_coverage
from darkroom.runtime.arrays import Bools, Float32s, Float64s, Int64s
from darkroom.statistics.calibration import ReliabilityBin, brier, expected_calibration_error, reliability
from darkroom.statistics.intervals import Estimate, mean_interval, wilson
from darkroom.statistics.mcnemar import mcnemar
from darkroom.statistics.metrics import confusion_counts, negative_log_likelihoods
from darkroom.statistics.paired import MacroF1, accuracy_difference, holm, macro_f1_difference


@dataclass(frozen=True)
class Side:
    """One model on the shared images.

    Attributes:
        name: the revision.
        correct: images predicted correctly.
        accuracy, loss, brier, calibration_error: with their intervals; the loss is in nats.
        reliability: confidence beside accuracy.
        coverage: mistakes among the most confident predictions.
    """

    name: str
    correct: int
    accuracy: Estimate
    loss: Estimate
    brier: Estimate
    calibration_error: Estimate
    reliability: list[ReliabilityBin]
    coverage: RiskCoverage


@dataclass(frozen=True)
class ClassChange:
    """The change of one class.

    Attributes:
        name: of the class.
        images: shared images of the class.
        correct_before, correct_after: of those, predicted correctly.
        only_before, only_after: predicted correctly by one model alone.
        recall: recall after less recall before.
        p: McNemar's.
        adjusted_p: Holm's, over all classes with images.
    """

    name: str
    images: int
    correct_before: int
    correct_after: int
    only_before: int
    only_after: int
    recall: Estimate
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the images that both were tested on; every difference is after less before.

    Attributes:
        shared: those images, with the predictions of both models.
        level: of the intervals; a p below 1 - level is significant.
        before, after: the two sides.
        accuracy, loss: differences.
        macro_f1: of both sides and their difference.
        p: McNemar's, of the accuracies.
        both_correct, both_wrong: images.
        other_mistake: of `both_wrong`, how many the models predict differently.
        lost, won: int64, rows of the images that only the model before, or only the one after, predicts correctly; those
            whose correct class lost, or won, the most probability come first.
        classes: those with images, the worst change first.
    """

    shared: SharedPredictions
    level: float
    before: Side
    after: Side
    accuracy: Estimate
    macro_f1: MacroF1
    loss: Estimate
    p: float
    both_correct: int
    both_wrong: int
    other_mistake: int
    lost: Int64s
    won: Int64s
    classes: list[ClassChange]

    @property
    def images(self) -> int:
        return len(self.shared.labels)

    @property
    def differs(self) -> bool:
        """Whether the accuracies differ significantly."""
        return self.p < 1 - self.level

    def changed_classes(self, worse: bool) -> list[ClassChange]:
        """The classes that got significantly worse, or better, after Holm's correction; the largest change first."""
        found = [each for each in self.classes if each.adjusted_p < 1 - self.level]
        ordered = found if worse else found[::-1]
        return [each for each in ordered if (each.only_before > each.only_after) == worse]


def compare(before: RevisionPredictions, after: RevisionPredictions) -> Comparison:
    """Compare two models image by image.

    Raises:
        DarkroomError: as `shared_predictions` does.
    """
    shared, level = shared_predictions(before, after), after.confidence
    labels = shared.labels
    predicted = [probabilities.argmax(axis=1) for probabilities in (shared.before, shared.after)]
    old, new = (classes == labels for classes in predicted)
    losses = [negative_log_likelihoods(probabilities, labels) for probabilities in (shared.before, shared.after)]
    gains = losses[1] - losses[0]
    lost, won = np.flatnonzero(old & ~new), np.flatnonzero(new & ~old)
    of_label = [p[np.arange(len(labels)), labels].astype(np.float64) for p in (shared.before, shared.after)]
    moved = of_label[1] - of_label[0]
    return Comparison(
        shared=shared,
        level=level,
        before=_side(before.name, shared.before, labels, losses[0], level),
        after=_side(after.name, shared.after, labels, losses[1], level),
        accuracy=accuracy_difference(len(lost), len(won), len(labels), level),
        macro_f1=macro_f1_difference(labels, predicted[0], predicted[1], len(shared.classes), level),
        loss=Estimate(float(gains.mean()), *mean_interval(gains, level)),
        p=float(mcnemar(np.array([len(lost)]), np.array([len(won)]))[0]),
        both_correct=int((old & new).sum()),
        both_wrong=int((~old & ~new).sum()),
        other_mistake=int((~old & ~new & (predicted[0] != predicted[1])).sum()),
        lost=lost[np.argsort(moved[lost], kind="stable")],
        won=won[np.argsort(-moved[won], kind="stable")],
        classes=_classes(shared, old, new, level),
    )


def _side(name: str, probabilities: Float32s, labels: Int64s, losses: Float64s, level: float) -> Side:
    correct = probabilities.argmax(axis=1) == labels
    low, high = wilson(int(correct.sum()), len(labels), level)
    loss_low, loss_high = mean_interval(losses, level)
    return Side(
        name,
        int(correct.sum()),
        Estimate(float(correct.mean()), float(low), float(high)),
        Estimate(float(losses.mean()), max(loss_low, 0.0), loss_high),
        brier(probabilities, labels, level),
        expected_calibration_error(probabilities, labels, level),
        reliability(probabilities, labels, level),
        risk_coverage(probabilities.max(axis=1), correct),
    )


def _classes(shared: SharedPredictions, old: Bools, new: Bools, level: float) -> list[ClassChange]:
    classes = len(shared.classes)
    images, correct_before, correct_after, lost, won = (
        np.bincount(shared.labels[rows], minlength=classes)
        for rows in (np.ones_like(old), old, new, old & ~new, new & ~old)
    )
    tested = np.flatnonzero(images)
    p = mcnemar(lost[tested], won[tested])
    found = [
        ClassChange(
            shared.classes.names[k],
            int(images[k]),
            int(correct_before[k]),
            int(correct_after[k]),
            int(lost[k]),
            int(won[k]),
            accuracy_difference(int(lost[k]), int(won[k]), int(images[k]), level),
            float(p[row]),
            float(adjusted),
        )
        for row, (k, adjusted) in enumerate(zip(tested.tolist(), holm(p).tolist(), strict=True))
    ]
    return sorted(found, key=lambda each: (each.recall.value, each.adjusted_p))


@dataclass(frozen=True)
class ConfusionChange:
    """How many images of one class the model before, and the one after, predicted as another class."""

    actual: str
    predicted: str
    before: int
    after: int


def changed_confusions(shared: SharedPredictions, most: int) -> list[ConfusionChange]:
    """The confusions whose number changed most, at most `most`; of equal changes in class-list order."""
    old, new = (
        confusion_counts(shared.labels, probabilities.argmax(axis=1), len(shared.classes))
        for probabilities in (shared.before, shared.after)
    )
    change = np.abs(new - old)
    np.fill_diagonal(change, 0)
    order = np.argsort(-change, axis=None, kind="stable")[:most]
    names = shared.classes.names
    return [
        ConfusionChange(names[i], names[j], int(old[i, j]), int(new[i, j]))
        for i, j in zip(*(axis.tolist() for axis in np.unravel_index(order, change.shape)), strict=True)
        if change[i, j]
    ]
