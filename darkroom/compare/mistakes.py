"""Which confusions came and which went."""

from dataclasses import dataclass

import numpy as np

from darkroom.compare.shared import Shared
from darkroom.statistics.metrics import confusion_counts


@dataclass(frozen=True)
class Mistake:
    """Images of one class that were named after another one: by the model before, and by the one after."""

    actual: str
    named: str
    before: int
    after: int


def changed_mistakes(shared: Shared, most: int) -> list[Mistake]:
    """The confusions whose number changed most, at most so many; those that changed alike in class-list order."""
    old, new = (
        confusion_counts(shared.labels, answers.argmax(axis=1), len(shared.classes))
        for answers in (shared.before, shared.after)
    )
    change = np.abs(new - old)
    np.fill_diagonal(change, 0)
    order = np.argsort(-change, axis=None, kind="stable")[:most]
    names = shared.classes.names
    return [
        Mistake(names[i], names[j], int(old[i, j]), int(new[i, j]))
        for i, j in zip(*(part.tolist() for part in np.unravel_index(order, change.shape)), strict=True)
        if change[i, j]
    ]
