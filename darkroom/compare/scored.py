"""What the evaluation of one revision left: its predictions, and where they come from."""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.images.manifest import INGEST
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.arrays import Int64s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import Revision, Workspace, open_revision

REPORT = "reports/evaluate"
PREDICTIONS = f"{REPORT}/predictions.parquet"
METRICS = f"{REPORT}/metrics.json"
CLASSES = f"{INGEST}/classes.json"


@dataclass(frozen=True)
class Scored:
    """One side of a comparison.

    Attributes:
        name: the revision as the user wrote it.
        classes: the class list that the model answers with.
        ids: of the test images, each once.
        paths: where they lie in their source.
        labels: int64 [N].
        probabilities: float32 [N, K], calibrated.
        confidence: of the intervals in its own report, 0.95 for 95%.
        provenance: `data_version`, `code_version` and the like, as in `metrics.json`.
    """

    name: str
    classes: ClassList
    ids: list[str]
    paths: list[str]
    labels: Int64s
    probabilities: npt.NDArray[np.float32]
    confidence: float
    provenance: dict[str, str]


def read_scored(name: str) -> Scored:
    """Read the predictions of a revision of the repository in the current folder.

    Args:
        name: `workspace`, or anything that git or DVC takes for a revision.

    Raises:
        DarkroomError: when there is no such revision, nothing was evaluated there, its files can't be got or read, or its
            predictions are of another class list than its data.
    """
    with open_revision(name) as revision:
        for path in (PREDICTIONS, METRICS, CLASSES):
            _require(revision, path)
        classes = load_classes(revision.get(CLASSES))
        try:
            metrics = json.loads(revision.get(METRICS).read_text(encoding="utf-8"))
        except ValueError as error:
            raise DarkroomError(_damaged(METRICS, name, error)) from None
        if metrics["provenance"]["class_hash"] != classes.hash:
            raise DarkroomError(
                f"{PREDICTIONS} of {name} was made with another class list than its {CLASSES} has: run `dvc repro` there"
            )
        try:
            table = pq.read_table(revision.get(PREDICTIONS))
        except pa.ArrowException as error:
            raise DarkroomError(_damaged(PREDICTIONS, name, error)) from None
    number = {label: k for k, label in enumerate(classes.names)}
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy()
    return Scored(
        name,
        classes,
        table["id"].to_pylist(),
        table["path"].to_pylist(),
        np.array([number[label] for label in table["label"].to_pylist()], dtype=np.int64),
        probabilities.reshape(-1, len(classes)),
        metrics["confidence"],
        metrics["provenance"],
    )


def _damaged(path: str, name: str, error: Exception) -> str:
    return f"{path} of {name} is damaged ({error}): `dvc checkout --force` brings the workspace's back"


def _require(revision: Revision, path: str) -> None:
    if revision.has(path):
        return
    if isinstance(revision, Workspace):
        raise DarkroomError(f"the workspace has no {path}: run `make run`, or `dvc pull` to get what was made")
    raise DarkroomError(
        f"{revision.name} has no {path}: nothing had been evaluated there; choose another revision, or run `dvc repro` there "
        "and commit its dvc.lock"
    )
