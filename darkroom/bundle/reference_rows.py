"""`reference.npz` of a bundle: row by row what the monitor holds live images against. No image is in it.

The statistics for people are in `reference.json`; ranks, class mix and accuracy need the rows themselves.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.seeding import seed_of

REFERENCE_ROWS = "reference.npz"
# As the prediction log has them.
PROPERTIES = ("width", "height", "aspect", "bytes", "brightness", "contrast", "sharpness")
# Steps of a probability: equal ones are equal in the log and here, whatever last bits a processor gives.
STEPS = 10_000
# Probabilities in all, two bytes each: 4,096 images of up to 1,000 classes.
MOST_PROBABILITIES = 1 << 22
# Random directions need no fit, so that reference and live images lie along them alike however few the reference has.
DIRECTIONS = 3


@dataclass(frozen=True)
class ReferenceRows:
    """Validation images, as the graph that ships answers them.

    Attributes:
        probabilities: float32 [N, K], in whole steps of 1 / `STEPS`.
        labels: int64 [N].
        properties: float32 [N, 7], in the order of `PROPERTIES`.
        projections: of the features, float32 [N, 3]; NaN for a graph without features.
        directions: float32 [D, 3], along which features are projected; [0, 3] without.
        confusion: int64 [K, K], images by label and predicted class.
    """

    probabilities: Float32s
    labels: Int64s
    properties: Float32s
    projections: Float32s
    directions: Float32s
    confusion: Int64s


def in_steps(probabilities: Float32s) -> Float32s:
    """Probabilities in whole steps of 1 / `STEPS`, of any shape."""
    return np.rint(np.asarray(probabilities, np.float32) * STEPS).astype(np.float32) / np.float32(STEPS)


def project(features: Float32s, directions: Float32s) -> Float32s:
    """Where features [N, D] lie along the directions [D, 3]: float32 [N, 3]."""
    return (features.astype(np.float64) @ directions.astype(np.float64)).astype(np.float32)


def write_reference_rows(
    folder: Path, probabilities: Float32s, labels: Int64s, properties: Float32s, features: Float32s | None
) -> None:
    """Write `reference.npz` into a bundle; the same rows give the same bytes.

    Args:
        folder: the bundle.
        probabilities: float32 [N, K], of the graph that ships.
        labels: int64 [N].
        properties: float32 [N, 7].
        features: float32 [N, D]; None for a graph without.
    """
    classes = probabilities.shape[1]
    few = slice(None, max(1, MOST_PROBABILITIES // classes))
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    size = 0 if features is None else features.shape[1]
    drawn = np.random.default_rng(seed_of("directions", size)).standard_normal((size, DIRECTIONS))
    directions = drawn.astype(np.float32)
    unknown = np.full((len(labels), DIRECTIONS), np.nan, np.float32)
    projections = unknown if features is None else project(features, directions)
    np.savez_compressed(
        folder / REFERENCE_ROWS,
        probabilities=np.rint(probabilities[few] * STEPS).astype(np.uint16),
        labels=labels[few].astype(np.int32),
        properties=properties[few].astype(np.float32),
        projections=projections[few],
        directions=directions,
        confusion=confusion,
    )


def read_reference_rows(folder: Path) -> ReferenceRows:
    """The rows that a bundle brings.

    Raises:
        DarkroomError: when it brings none, as one that an earlier version wrote, or they can't be read.
    """
    path = folder / REFERENCE_ROWS
    if not path.is_file():
        raise DarkroomError(
            f"{folder} has no {REFERENCE_ROWS}, which the monitor compares with: an earlier version wrote this bundle; "
            "make it again with `dvc repro export`"
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = ReferenceRows(
                stored["probabilities"].astype(np.float32) / np.float32(STEPS),
                stored["labels"].astype(np.int64),
                stored["properties"],
                stored["projections"],
                stored["directions"],
                stored["confusion"],
            )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DarkroomError(
            f"{path} can't be read ({error}): take an unchanged copy of the bundle, or `dvc repro export`"
        ) from None
    return found
