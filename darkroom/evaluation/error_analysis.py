"""Error analysis: weak slices, probably wrong labels, and how accuracy falls as pictures get worse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from darkroom.evaluation.label_errors import Suspect, label_suspects
from darkroom.evaluation.slice_candidates import slice_facts
from darkroom.evaluation.slices import Slice, find_slices
from darkroom.inference.explained import ordered
from darkroom.inference.predictions import UNDAMAGED, DamagedLogits, Predictions
from darkroom.runtime.arrays import Bools, Float32s, Int64s
from darkroom.statistics.intervals import wilson
from darkroom.statistics.temperature import softmax

# Slices whose mistakes are shown, and how many of each.
PICTURED_SLICES, OF_A_SLICE = 6, 8


@dataclass(frozen=True)
class RobustnessCurve:
    """Accuracy under one kind of damage, from none (severity 0) to the worst.

    Attributes:
        name: `blur`, `noise`, `brightness` or `JPEG loss`.
        severities: 0 to 5.
        labels_of_severity: what each means, in words.
        accuracy: at each.
        low, high: the ends of its interval (Wilson).
    """

    name: str
    severities: tuple[int, ...]
    labels_of_severity: tuple[str, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class ErrorAnalysis:
    """What was found beside the scores.

    Attributes:
        facts: names of the facts that weak slices were looked for in.
        slices: the weak ones.
        slice_mistakes: of the first slices, positions of their most confident mistakes in the test split.
        suspects: images whose label is probably wrong.
        robustness: a curve for each kind of damage; none where it was not measured.
        damaged_images: how many images these are of.
        damaged_precision: what these were multiplied in, `float32` or shorter.
    """

    facts: list[str]
    slices: list[Slice]
    slice_mistakes: list[list[int]]
    suspects: list[Suspect]
    robustness: list[RobustnessCurve]
    damaged_images: int
    damaged_precision: str


def analyse_errors(predictions: Predictions, temperature: float, confidence: float) -> ErrorAnalysis:
    """Look for what the mistakes have in common.

    Args:
        predictions: of the network.
        temperature: from validation images.
        confidence: of every interval, 0.95 for 95%.
    """
    test, validation = predictions.test, predictions.validation
    probabilities = softmax(test.answers, temperature)
    correct = probabilities.argmax(axis=1) == test.labels
    facts, slices = _weak_slices(predictions, correct, confidence)
    curves = robustness(predictions.damaged, test.labels, confidence)
    return ErrorAnalysis(
        facts=facts,
        slices=slices,
        slice_mistakes=[
            ordered(each.rows[~correct[each.rows]], -probabilities.max(axis=1), test.ids)[:OF_A_SLICE]
            for each in slices[:PICTURED_SLICES]
        ],
        suspects=label_suspects(predictions, softmax(validation.answers, temperature)),
        robustness=curves,
        damaged_images=len(predictions.damaged[0].rows) if curves else 0,
        damaged_precision=predictions.run.damaged_precision,
    )


def _weak_slices(predictions: Predictions, correct: Bools, confidence: float) -> tuple[list[str], list[Slice]]:
    """The names of the facts, and the slices.

    Validation images only serve to compare with: a class whose test images are all dark has no others to compare them with.
    """
    test, validation, names = predictions.test, predictions.validation, predictions.run.classes
    facts = slice_facts(pa.concat_tables([test.rows, validation.rows]), names)
    slices = find_slices(
        facts,
        np.concatenate([test.labels, validation.labels]),
        np.concatenate([correct, validation.answers.argmax(axis=1) == validation.labels]),
        names,
        confidence,
        tested=np.arange(len(test.labels) + len(validation.labels)) < len(test.labels),
    )
    return sorted(facts), slices


def robustness(damaged: Sequence[DamagedLogits], labels: Int64s, confidence: float) -> list[RobustnessCurve]:
    """Accuracy on damaged copies of test images.

    Args:
        damaged: the undamaged copies first, then each kind of damage from the mildest on; or nothing.
        labels: int64 [N], of all test images.
        confidence: of the intervals, 0.95 for 95%.
    """
    by_kind: dict[str, list[DamagedLogits]] = {}
    for each in damaged:
        by_kind.setdefault(each.kind, []).append(each)
    clean = by_kind.pop(UNDAMAGED, [])
    return [_curve(kind, clean + steps, labels, confidence) for kind, steps in by_kind.items()]


def _curve(kind: str, steps: list[DamagedLogits], labels: Int64s, confidence: float) -> RobustnessCurve:
    counts = [_correct(each.logits, labels[each.rows]) for each in steps]
    images = len(steps[0].rows)
    low, high = wilson(counts, images, confidence)
    return RobustnessCurve(
        name=kind,
        severities=tuple(each.severity for each in steps),
        labels_of_severity=tuple(each.text for each in steps),
        accuracy=tuple(count / images for count in counts),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )


def _correct(logits: Float32s, labels: Int64s) -> int:
    return int((logits.argmax(axis=1) == labels).sum())
