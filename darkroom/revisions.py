"""The data and the scores of one revision: of the workspace, or of any git revision through DVC's cache or remote."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc_data.index import DataIndexDirError

from darkroom.classes import ClassList, load_classes
from darkroom.errors import DarkroomError
from darkroom.provenance import data_version

WORKSPACE = "workspace"

MANIFEST = "data/ingest/manifest.parquet"
REJECTS = "data/ingest/rejects.parquet"
CLASSES = "data/ingest/classes.json"
GROUPS = "data/validate/groups.parquet"
SPLITS = "data/split/splits.parquet"
METRICS = "reports/evaluate/metrics.json"
FILES = (MANIFEST, REJECTS, CLASSES, GROUPS, SPLITS, METRICS)


@dataclass(frozen=True)
class State:
    """Everything that a difference tells of one side, in memory.

    Attributes:
        name: the revision as the user wrote it.
        images: `sha256`, `path`, `label`, and, where known, `split` and `group`; a row for each readable image.
        rejects: `path`, `reason`.
        classes: the class list.
        metrics: the numbers about the test split, by name; None where nothing was evaluated.
        remarks: what is missing or outdated, in sentences.
    """

    name: str
    images: pd.DataFrame
    rejects: pd.DataFrame
    classes: ClassList
    metrics: dict[str, float] | None
    remarks: tuple[str, ...] = ()


def read_state(revision: str) -> State:
    """Read one side of a difference, in the repository of the current folder.

    Args:
        revision: `workspace`, or anything that git or DVC takes for a revision.

    Raises:
        DarkroomError: when there is no such revision, or it has no data, or its data can't be got.
    """
    if revision == WORKSPACE:
        if not Path(MANIFEST).exists():
            raise DarkroomError(f"the workspace has no {MANIFEST}: run `make run`, or `dvc pull` to get what was made")
        return _state(revision, Path())
    with tempfile.TemporaryDirectory() as folder:
        _fetch(revision, Path(folder))
        return _state(revision, Path(folder))


def _fetch(revision: str, folder: Path) -> None:
    """Copy the tables of a revision, and nothing else, from DVC's cache or remote."""
    try:
        system = DVCFileSystem(repo=".", rev=revision)
        locked = _locked_outputs(system, revision)
        for path in FILES:
            if not any(Path(path).is_relative_to(output) for output in locked):
                continue
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                system.get_file(path, str(folder / path))
            except (OSError, DvcException, DataIndexDirError) as error:
                raise DarkroomError(
                    f"{path} of {revision} is neither in DVC's cache nor in its remote ({error.__cause__ or error}): "
                    "run `dvc fetch` where the remote can be reached, or `dvc push` where the data was made"
                ) from None
    except DvcException as error:
        raise DarkroomError(f"can't read revision {revision!r}: {error}") from None


def _locked_outputs(system: DVCFileSystem, revision: str) -> list[str]:
    """The paths that the revision's `dvc.lock` vouches for."""
    try:
        lock = system.read_text("dvc.lock")
    except FileNotFoundError:
        raise DarkroomError(
            f"{revision} has no dvc.lock, so nothing had been made there: choose a later revision"
        ) from None
    stages: dict[str, dict[str, Any]] = yaml.safe_load(lock)["stages"]
    locked = [output["path"] for stage in stages.values() for output in stage.get("outs", [])]
    if not any(Path(MANIFEST).is_relative_to(output) for output in locked):
        raise DarkroomError(f"the dvc.lock of {revision} has no {MANIFEST}: ingest had not been run there")
    return locked


def _state(name: str, root: Path) -> State:
    """Put the tables together. A table of a later stage that does not fit the manifest is left out, and that is said."""
    remarks = []
    manifest = pq.read_table(root / MANIFEST, columns=["id", "sha256", "path", "label"]).to_pandas()
    images = manifest.drop(columns="id")
    for column, path, stage in (("group", GROUPS, "validate"), ("split", SPLITS, "split")):
        if not (root / path).exists():
            remarks.append(f"`{name}` has no {path}: {stage} has not been run there.")
            continue
        table = pq.read_table(root / path, columns=["id", column]).to_pandas()
        if not table["id"].equals(manifest["id"]):
            remarks.append(f"`{name}` has a {path} of other images than its manifest: it is left out; run `dvc repro`.")
            continue
        images[column] = table[column]
    return State(
        name,
        images,
        pq.read_table(root / REJECTS, columns=["path", "reason"]).to_pandas(),
        load_classes(root / CLASSES),
        _metrics(name, root, remarks),
        tuple(remarks),
    )


def _metrics(name: str, root: Path, remarks: list[str]) -> dict[str, float] | None:
    if not (root / METRICS).exists():
        remarks.append(f"`{name}` has no {METRICS}: evaluate has not been run there.")
        return None
    content = json.loads((root / METRICS).read_text(encoding="utf-8"))
    measured_on = content["provenance"]["data_version"]
    present = data_version(root / MANIFEST, root / SPLITS) if (root / SPLITS).exists() else "unknown"
    if measured_on != present:
        remarks.append(f"The scores of `{name}` were measured on data version {measured_on}; its data is {present}.")
    scores: dict[str, float] = content["test"]
    return scores
