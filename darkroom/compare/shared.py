"""The test images that two models both answered, row beside row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkroom.compare.scored import Scored
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.errors import DarkroomError

NAMED = 5


@dataclass(frozen=True)
class Shared:
    """Images that both sides answered, in the order of the side after.

    Attributes:
        classes: the class list of both.
        ids, paths: of the images.
        labels: int64 [N].
        before, after: calibrated probabilities float32 [N, K] of the two models.
        only_before, only_after: paths of the images that only one side answered.
    """

    classes: ClassList
    ids: list[str]
    paths: list[str]
    labels: Int64s
    before: npt.NDArray[np.float32]
    after: npt.NDArray[np.float32]
    only_before: list[str]
    only_after: list[str]


def share(before: Scored, after: Scored) -> Shared:
    """Put the answers of two models beside each other. An image is its path and its bytes, as in the manifest.

    Raises:
        DarkroomError: when the class lists differ, no image is shared, or a shared image has another label: accuracies
            that were measured against different truths can't be compared.
    """
    if before.classes.names != after.classes.names:
        raise DarkroomError(_other_classes(before, after))
    row_before = {image: row for row, image in enumerate(before.ids)}
    rows_after = np.array([row for row, image in enumerate(after.ids) if image in row_before], dtype=np.int64)
    if not len(rows_after):
        raise DarkroomError(
            f"none of the {len(before.ids):,} test images of {before.name} is among the {len(after.ids):,} of {after.name}: "
            "evaluate one of the models on the data of the other, and compare again"
        )
    rows_before = np.array([row_before[after.ids[row]] for row in rows_after.tolist()], dtype=np.int64)
    truths = before.labels[rows_before], after.labels[rows_after]
    relabelled = np.flatnonzero(truths[0] != truths[1])
    if len(relabelled):
        first = relabelled[0]
        was, now = (after.classes.names[truth[first]] for truth in truths)
        raise DarkroomError(
            f"{len(relabelled):,} of {len(rows_after):,} shared test images have other labels in {after.name} than in "
            f"{before.name}, the first is {after.paths[rows_after[first]]}, {was} before and {now} after: evaluate the model "
            f"of {before.name} on the data of {after.name}, and compare again; "
            f"`python -m darkroom.diff {before.name} {after.name}` lists the changed labels"
        )
    taken = {after.ids[row] for row in rows_after.tolist()}
    return Shared(
        after.classes,
        [after.ids[row] for row in rows_after.tolist()],
        [after.paths[row] for row in rows_after.tolist()],
        truths[1],
        before.probabilities[rows_before],
        after.probabilities[rows_after],
        *(
            sorted(path for image, path in zip(side.ids, side.paths, strict=True) if image not in taken)
            for side in (before, after)
        ),
    )


def _other_classes(before: Scored, after: Scored) -> str:
    old, new = set(before.classes.names), set(after.classes.names)
    parts = [
        f"{len(names):,} only in {side.name}: {', '.join(sorted(names)[:NAMED])}{', …' if len(names) > NAMED else ''}"
        for side, names in ((before, old - new), (after, new - old))
        if names
    ]
    return (
        f"{before.name} has {len(before.classes):,} classes and {after.name} {len(after.classes):,}, and they are not the same "
        f"({'; '.join(parts) or 'they stand in another order'}): train both on one class list, and compare again"
    )
