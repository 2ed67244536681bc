"""Accuracy in service as the labels of the queue measure it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.labels.queue_labels import label_weights, read_queue_labels
from darkroom.monitoring.estimated_accuracy import weighted_accuracy


@dataclass(frozen=True)
class MeasuredAccuracy:
    """Attributes:
    accuracy, low, high: with the 95% interval.
    labels: that it rests on.
    """

    accuracy: float
    low: float
    high: float
    labels: int


def measured_accuracy(inbox: Path, bundle: str, since: str | None) -> MeasuredAccuracy | None:
    """From the labels that people gave in the queue, each weighted by the images that it stands for.

    Args:
        inbox: the folder of the labels.
        bundle: hash of the bundle whose answers count.
        since: ISO 8601; labels that were given before are of other images. None: all count.

    Returns:
        None where there is no such label.

    Raises:
        DarkroomError: when the table of labels is damaged.
    """
    labels = read_queue_labels(inbox)
    weights = label_weights(labels)
    counts = np.array([each.bundle == bundle and (since is None or each.time >= since) for each in labels], bool)
    counts &= weights > 0
    if not counts.any():
        return None
    correct = np.array([each.correct for each in labels], bool)[counts]
    return MeasuredAccuracy(*weighted_accuracy(correct, weights[counts]), int(counts.sum()))
