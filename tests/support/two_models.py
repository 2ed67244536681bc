"""A repository with two evaluated models: git, DVC, real pictures, and predictions as the stage would write them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from darkroom.compare.predictions import RevisionPredictions
from darkroom.evaluation.tables import write_predictions
from darkroom.model.classes import ClassList
from tests.support.revisions import Kept, commit_version, digit, start_repository, write_version

NAMES = ("cat", "dog", "eel")
PATHS = [f"{NAMES[k % 3]}/{k:02}.png" for k in range(30)]


def answer(named: list[int], sure: float = 0.8) -> np.ndarray:
    """Probabilities float32 [N, 3] that name these classes."""
    rows = np.full((len(named), 3), (1 - sure) / 2, np.float32)
    rows[np.arange(len(named)), named] = sure
    return rows


def scored(name: str, labels: list[int], named: list[int], ids: list[str] | None = None) -> RevisionPredictions:
    """A side of a comparison."""
    ids = [f"{k:016x}" for k in range(len(labels))] if ids is None else ids
    return RevisionPredictions(
        name=name,
        classes=ClassList(NAMES),
        ids=ids,
        paths=[f"{image}.png" for image in ids],
        labels=np.array(labels, dtype=np.int64),
        probabilities=answer(named),
        confidence=0.95,
        provenance={"data_version": "d" * 12, "code_version": "c" * 12, "class_hash": ClassList(NAMES).hash},
    )


def two_models(base: Path) -> Path:
    """A repository under `base`, made once: the revisions `empty`, `first` and `second`; the workspace is `second`. Tests
    must not write to it.

    Thirty images. The first model takes image 0 and 3 (cats) for dogs, and the second image 0 and 4 (a dog) for an eel; the
    first was not tested on the last image.
    """
    folder = base / "two models"
    if folder.exists():
        return folder
    folder.mkdir()
    start_repository(folder)
    kept = [Kept(path, path[:3], "test", digit(k)) for k, path in enumerate(PATHS)]
    for name, wrong, images in (("first", {0: 1, 3: 1}, 29), ("second", {0: 1, 4: 2}, 30)):
        shutil.rmtree(folder / "made", ignore_errors=True)
        scores = {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1.0, "images": images}
        write_version(folder / "made", kept, NAMES, {}, scores)
        _evaluate(folder / "made", wrong, images)
        commit_version(folder, name)
    return folder


def _evaluate(made: Path, wrong: dict[int, int], images: int) -> None:
    """Add predictions to what `write_version` wrote."""
    parts = [pq.read_table(part) for part in sorted((made / "data/ingest/manifest").iterdir())]
    ids = {
        path: image
        for part in parts
        for path, image in zip(*part.select(["path", "id"]).to_pydict().values(), strict=True)
    }
    labels = [k % 3 for k in range(images)]
    predicted = answer([wrong.get(k, label) for k, label in enumerate(labels)])
    report = made / "reports/evaluate"
    paths = PATHS[:images]
    write_predictions(
        report / "predictions.parquet", [ids[path] for path in paths], paths, np.array(labels), predicted, NAMES
    )
    metrics = json.loads((report / "metrics.json").read_text())
    metrics |= {"confidence": 0.95}
    metrics["provenance"]["class_hash"] = ClassList(NAMES).hash
    (report / "metrics.json").write_text(json.dumps(metrics))
