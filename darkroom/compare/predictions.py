"""The test predictions of a revision, and those of two revisions on the images that they share."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.evaluation.headline import ClassHeadline
from darkroom.images.manifest import INGEST
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.runtime.checked_json import read_checked
from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import Revision, Workspace, open_revision

REPORT = "reports/evaluate"
PREDICTIONS = f"{REPORT}/predictions.parquet"
METRICS = f"{REPORT}/metrics.json"
CLASSES = f"{INGEST}/classes.json"

# Class names that a message lists.
LISTED = 5

REMEDY = "`dvc checkout --force` brings the workspace's back"


@dataclass(frozen=True)
class RevisionPredictions:
    """One side of a comparison.

    Attributes:
        name: the revision as the user wrote it.
        classes: the class list that the model predicts.
        ids: of the test images, each once.
        paths: of the images in their source.
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
    probabilities: Float32s
    confidence: float
    provenance: dict[str, str]


def revision_predictions(name: str) -> RevisionPredictions:
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
        classes = load_classes(revision.get(CLASSES), REMEDY, f"{CLASSES} of {name}")
        metrics = read_checked(revision.get(METRICS), ClassHeadline, REMEDY, f"{METRICS} of {name}")
        if metrics.provenance["class_hash"] != classes.hash:
            raise DarkroomError(
                f"{PREDICTIONS} of {name} was made with another class list than its {CLASSES} has: run `dvc repro` there"
            )
        table = read_checked_table(revision.get(PREDICTIONS), _schema(len(classes)), f"{PREDICTIONS} of {name}", REMEDY)
    labels, probabilities = _answers(table, classes, f"{PREDICTIONS} of {name}")
    return RevisionPredictions(
        name,
        classes,
        table["id"].to_pylist(),
        table["path"].to_pylist(),
        labels,
        probabilities,
        metrics.confidence,
        metrics.provenance,
    )


def _schema(class_count: int) -> pa.Schema:
    """Of `predictions.parquet`, what is compared."""
    names = [pa.field(name, pa.string(), nullable=False) for name in ("id", "path", "label")]
    return pa.schema([*names, pa.field("probabilities", pa.list_(pa.float32(), class_count), nullable=False)])


def _answers(table: pa.Table, classes: ClassList, where: str) -> tuple[Int64s, Float32s]:
    """Labels int64 [N] and probabilities float32 [N, K] of a table of predictions.

    Raises:
        DarkroomError: when a label is none of the classes, an id is there twice, or a row has no probabilities.
    """
    labels = pc.index_in(table["label"].combine_chunks(), value_set=pa.array(classes.names))
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    probabilities = probabilities.astype(np.float32).reshape(-1, len(classes))
    # A NaN fails both comparisons.
    sums = np.isclose(probabilities.sum(axis=1), 1, atol=1e-3) & (probabilities >= 0).all(axis=1)
    for wrong, what in (
        (labels.null_count, "have a label that is none of its classes"),
        (len(table) - len(set(table["id"].to_pylist())), "have the id of another row"),
        (int((~sums).sum()), "have probabilities that do not add up to 1"),
    ):
        if wrong:
            raise DarkroomError(f"{where} is damaged ({wrong:,} of {len(table):,} rows {what}): {REMEDY}")
    return labels.to_numpy().astype(np.int64), probabilities


@dataclass(frozen=True)
class SharedPredictions:
    """The images that both models were tested on, in the order of the side after.

    Attributes:
        classes: the class list of both.
        ids, paths: of the images.
        labels: int64 [N].
        before, after: calibrated probabilities float32 [N, K] of the two models.
        only_before, only_after: paths of the images that only one model was tested on.
    """

    classes: ClassList
    ids: list[str]
    paths: list[str]
    labels: Int64s
    before: Float32s
    after: Float32s
    only_before: list[str]
    only_after: list[str]


def shared_predictions(before: RevisionPredictions, after: RevisionPredictions) -> SharedPredictions:
    """Pair the predictions of two models. An image is its path and its bytes, as in the manifest.

    Raises:
        DarkroomError: when the class lists differ, no image is shared, or a shared image has another label: accuracies
            that were measured against different labels can't be compared.
    """
    if before.classes.names != after.classes.names:
        raise DarkroomError(_other_classes(before, after))
    row_before = {image: row for row, image in enumerate(before.ids)}
    rows_after = np.array([row for row, image in enumerate(after.ids) if image in row_before], dtype=np.int64)
    if not len(rows_after):
        raise DarkroomError(
            f"none of the {len(before.ids):,} test images of {before.name} is among the {len(after.ids):,} of {after.name}: "
            "`--rescore` has both models predict the test images of the second"
        )
    rows_before = np.array([row_before[after.ids[row]] for row in rows_after.tolist()], dtype=np.int64)
    labels = before.labels[rows_before], after.labels[rows_after]
    relabelled = np.flatnonzero(labels[0] != labels[1])
    if len(relabelled):
        first = relabelled[0]
        was, now = (after.classes.names[each[first]] for each in labels)
        raise DarkroomError(
            f"{len(relabelled):,} of {len(rows_after):,} shared test images have other labels in {after.name} than in "
            f"{before.name}, the first is {after.paths[rows_after[first]]}, {was} before and {now} after: `--rescore` has "
            f"both models predict the test images of {after.name}, with its labels; "
            f"`python -m darkroom.diff {before.name} {after.name}` lists the changed labels"
        )
    taken = {after.ids[row] for row in rows_after.tolist()}
    return SharedPredictions(
        after.classes,
        [after.ids[row] for row in rows_after.tolist()],
        [after.paths[row] for row in rows_after.tolist()],
        labels[1],
        before.probabilities[rows_before],
        after.probabilities[rows_after],
        *(
            sorted(path for image, path in zip(side.ids, side.paths, strict=True) if image not in taken)
            for side in (before, after)
        ),
    )


def _require(revision: Revision, path: str) -> None:
    if revision.has(path):
        return
    if isinstance(revision, Workspace):
        raise DarkroomError(f"the workspace has no {path}: run `make run`, or `dvc pull` to get what was made")
    raise DarkroomError(
        f"{revision.name} has no {path}: nothing had been evaluated there; choose another revision, or run `dvc repro` there "
        "and commit its dvc.lock"
    )


def _other_classes(before: RevisionPredictions, after: RevisionPredictions) -> str:
    old, new = set(before.classes.names), set(after.classes.names)
    parts = [
        f"{len(names):,} only in {side.name}: {', '.join(sorted(names)[:LISTED])}{', …' if len(names) > LISTED else ''}"
        for side, names in ((before, old - new), (after, new - old))
        if names
    ]
    return (
        f"{before.name} has {len(before.classes):,} classes and {after.name} {len(after.classes):,}, and they are not the same "
        f"({'; '.join(parts) or 'they are in another order'}): `--rescore` scores both on the data of the second"
    )
