"""What is better and what is worse, with how sure that is: nothing is read here."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.compare.scored import Scored
from darkroom.compare.shared import Shared, share
from darkroom.evaluation.coverage import RiskCoverage, risk_coverage
from darkroom.runtime.arrays import Float64s, Int64s
from darkroom.statistics.calibration import ReliabilityBin, brier, expected_calibration_error, reliability
from darkroom.statistics.intervals import Estimate, mean_interval, wilson
from darkroom.statistics.metrics import negative_log_likelihoods
from darkroom.statistics.paired import MacroF1, accuracy_difference, holm, macro_f1_difference, mcnemar


@dataclass(frozen=True)
class Side:
    """One model on the shared images.

    Attributes:
        name: the revision.
        right: images named correctly.
        accuracy, loss, brier, calibration_error: with their intervals; the loss is in nats.
        reliability: confidence beside accuracy.
        coverage: mistakes among the surest answers.
    """

    name: str
    right: int
    accuracy: Estimate
    loss: Estimate
    brier: Estimate
    calibration_error: Estimate
    reliability: list[ReliabilityBin]
    coverage: RiskCoverage


@dataclass(frozen=True)
class ClassChange:
    """How one class fares.

    Attributes:
        name: of the class.
        images: shared images of the class.
        right_before, right_after: of those, named correctly.
        only_before, only_after: named correctly by one model alone.
        recall: recall after less recall before.
        p: McNemar's.
        adjusted_p: Holm's, over all classes with images.
    """

    name: str
    images: int
    right_before: int
    right_after: int
    only_before: int
    only_after: int
    recall: Estimate
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the images that both answered; every difference is after less before.

    Attributes:
        shared: those images, and what both models say about them.
        level: of the intervals; a finding is a p below 1 - level.
        before, after: the two sides.
        accuracy, loss: differences.
        macro_f1: of both sides and their difference.
        p: McNemar's, of the accuracies.
        both_right, both_wrong: images.
        other_mistake: of `both_wrong`, how many the models name differently.
        lost, won: int64, rows of the images that only the model before, or only the one after, names correctly; those
            whose right class lost, or won, the most probability come first.
        classes: those with images, the worst change first.
    """

    shared: Shared
    level: float
    before: Side
    after: Side
    accuracy: Estimate
    macro_f1: MacroF1
    loss: Estimate
    p: float
    both_right: int
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
        """Whether one of the models is better by more than chance brings."""
        return self.p < 1 - self.level

    def changed_classes(self, worse: bool) -> list[ClassChange]:
        """The classes that got worse, or better, by more than chance brings when so many are looked at; the largest change
        first.
        """
        found = [each for each in self.classes if each.adjusted_p < 1 - self.level]
        ordered = found if worse else found[::-1]
        return [each for each in ordered if (each.only_before > each.only_after) == worse]


def compare(before: Scored, after: Scored) -> Comparison:
    """Compare two models image by image.

    Raises:
        DarkroomError: as `darkroom.compare.shared.share` does.
    """
    shared, level = share(before, after), after.confidence
    labels = shared.labels
    named = [probabilities.argmax(axis=1) for probabilities in (shared.before, shared.after)]
    old, new = (answers == labels for answers in named)
    losses = [negative_log_likelihoods(probabilities, labels) for probabilities in (shared.before, shared.after)]
    gains = losses[1] - losses[0]
    lost, won = np.flatnonzero(old & ~new), np.flatnonzero(new & ~old)
    given = [p[np.arange(len(labels)), labels].astype(np.float64) for p in (shared.before, shared.after)]
    moved = given[1] - given[0]
    return Comparison(
        shared=shared,
        level=level,
        before=_side(before.name, shared.before, labels, losses[0], level),
        after=_side(after.name, shared.after, labels, losses[1], level),
        accuracy=accuracy_difference(len(lost), len(won), len(labels), level),
        macro_f1=macro_f1_difference(labels, named[0], named[1], len(shared.classes), level),
        loss=Estimate(float(gains.mean()), *mean_interval(gains, level)),
        p=float(mcnemar(np.array([len(lost)]), np.array([len(won)]))[0]),
        both_right=int((old & new).sum()),
        both_wrong=int((~old & ~new).sum()),
        other_mistake=int((~old & ~new & (named[0] != named[1])).sum()),
        lost=lost[np.argsort(moved[lost], kind="stable")],
        won=won[np.argsort(-moved[won], kind="stable")],
        classes=_classes(shared, old, new, level),
    )


def _side(name: str, probabilities: npt.NDArray[np.float32], labels: Int64s, losses: Float64s, level: float) -> Side:
    right = probabilities.argmax(axis=1) == labels
    low, high = wilson(int(right.sum()), len(labels), level)
    loss_low, loss_high = mean_interval(losses, level)
    return Side(
        name,
        int(right.sum()),
        Estimate(float(right.mean()), float(low), float(high)),
        Estimate(float(losses.mean()), max(loss_low, 0.0), loss_high),
        brier(probabilities, labels, level),
        expected_calibration_error(probabilities, labels, level),
        reliability(probabilities, labels, level),
        risk_coverage(probabilities.max(axis=1), right),
    )


def _classes(shared: Shared, old: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_], level: float) -> list[ClassChange]:
    classes = len(shared.classes)
    images, right_before, right_after, lost, won = (
        np.bincount(shared.labels[rows], minlength=classes)
        for rows in (np.ones_like(old), old, new, old & ~new, new & ~old)
    )
    tested = np.flatnonzero(images)
    p = mcnemar(lost[tested], won[tested])
    found = [
        ClassChange(
            shared.classes.names[k],
            int(images[k]),
            int(right_before[k]),
            int(right_after[k]),
            int(lost[k]),
            int(won[k]),
            accuracy_difference(int(lost[k]), int(won[k]), int(images[k]), level),
            float(p[row]),
            float(adjusted),
        )
        for row, (k, adjusted) in enumerate(zip(tested.tolist(), holm(p).tolist(), strict=True))
    ]
    return sorted(found, key=lambda each: (each.recall.value, each.adjusted_p))
