"""The data and the scores of one revision, read into memory: all but pictures."""

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from darkroom.evaluation.headline import read_headline
from darkroom.images.manifest import INGEST, MANIFEST_FOLDER, manifest_of
from darkroom.labels.fixes import APPLIED
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.provenance import data_version
from darkroom.runtime.checked_table import read_checked_table
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.revisions import WORKSPACE, Committed, Revision, open_revision
from darkroom.splits.rule import EXCLUDED

REJECTS = f"{INGEST}/rejects.parquet"
FIXES = f"{INGEST}/fixes.parquet"
CLASSES = f"{INGEST}/classes.json"
GROUPS = "data/validate/groups.parquet"
SPLITS = "data/split/splits.parquet"
METRICS = "reports/evaluate/metrics.json"

# Of the manifest; `group` is the user's own there, and is called `user_group` from here on.
COLUMNS = [
    *("id", "sha256", "path", "label", "group", "width", "height"),
    *("brightness", "contrast", "sharpness", "shard", "offset", "bytes"),
]


REMEDY = (
    "`dvc checkout --force` brings the workspace's back from DVC's cache; where that is damaged too, remove .dvc/cache/files "
    "and `dvc fetch` from the remote"
)


def _no_fixes() -> pd.DataFrame:
    return pd.DataFrame(columns=APPLIED.names, dtype=str)


@dataclass(frozen=True)
class State:
    """One side of a difference.

    Attributes:
        name: the revision as the user wrote it.
        images: a row for each readable image, sorted by path, which is unique: `sha256`, `path`, `label`, `user_group`,
            `width`, `height`, `brightness`, `contrast`, `sharpness`, `shard`, `offset`, `bytes`, as in the manifest (null where
            the revision did not measure it yet), and, where known, `split` and `group`.
        rejects: `path`, `reason`, of the files that could not be read.
        classes: the class list.
        metrics: the numbers about the test split, by name; None where nothing was evaluated, or only other data was.
        remarks: what is missing or outdated, in sentences.
        fixes: what reviewers decided about labels, with the columns of `darkroom.labels.fixes.APPLIED`; `new_label` is
            empty where there is none.
    """

    name: str
    images: pd.DataFrame
    rejects: pd.DataFrame
    classes: ClassList
    metrics: dict[str, float] | None
    remarks: tuple[str, ...] = ()
    fixes: pd.DataFrame = field(default_factory=_no_fixes)


def read_state(name: str) -> State:
    """Read one side of a difference, in the repository of the current folder.

    A table of a later stage that is missing or does not fit the manifest is left out, with a remark.

    Args:
        name: `workspace`, or anything that git or DVC takes for a revision.

    Raises:
        DarkroomError: when there is no such revision, or it has no data, or its data are out of reach or damaged.
    """
    try:
        return _read_state(name)
    except (pa.ArrowException, NotADirectoryError, IsADirectoryError) as error:
        raise DarkroomError(f"the manifest of {name} is damaged ({error}): {REMEDY}") from None


def _read_state(name: str) -> State:
    with open_revision(name) as revision:
        table = manifest_of(revision, COLUMNS)
        if table is None:
            raise _without_data(revision)
        manifest: pd.DataFrame = table.to_pandas()
        remarks: list[str] = []
        images = manifest.drop(columns="id").rename(columns={"group": "user_group"})
        for column, path, stage in (("group", GROUPS, "validate"), ("split", SPLITS, "split")):
            if not revision.has(path):
                remarks.append(f"`{name}` has no {path}: {stage} has not been run there.")
                continue
            schema = pa.schema([pa.field(field, pa.string(), nullable=False) for field in ("id", column)])
            table = read_checked_table(revision.get(path), schema, f"{path} of {name}", REMEDY).to_pandas()
            if not table["id"].equals(manifest["id"]):
                remarks.append(
                    f"`{name}` has a {path} of other images than its manifest: it is left out; run `dvc repro`."
                )
                continue
            # Excluded images were called withheld once.
            images[column] = table[column].replace({"withheld": EXCLUDED})
        return State(
            name,
            images,
            _rejects(revision),
            load_classes(revision.get(CLASSES), REMEDY, f"{CLASSES} of {name}"),
            _metrics(revision, remarks),
            tuple(remarks),
            _fixes(revision),
        )


def _rejects(revision: Revision) -> pd.DataFrame:
    """Without the images that a reviewer removed; in older revisions nobody did."""
    schema = pa.schema([(name, pa.string()) for name in ("path", "reason", "reviewer")])
    where = f"{REJECTS} of {revision.name}"
    table: pd.DataFrame = read_checked_table(revision.get(REJECTS), schema, where, REMEDY, ("reviewer",)).to_pandas()
    return table.loc[table["reviewer"].isna(), ["path", "reason"]].reset_index(drop=True)


def _fixes(revision: Revision) -> pd.DataFrame:
    if not revision.has(FIXES):
        return _no_fixes()
    table = read_checked_table(revision.get(FIXES), APPLIED, f"{FIXES} of {revision.name}", REMEDY)
    fixes: pd.DataFrame = table.to_pandas().fillna("")
    return fixes


def _without_data(revision: Revision) -> DarkroomError:
    if not isinstance(revision, Committed):
        return DarkroomError(
            f"the {WORKSPACE} has no {MANIFEST_FOLDER}: run `make run`, or `dvc pull` to get what was made"
        )
    if not revision.outputs:
        return DarkroomError(
            f"{revision.name} has no dvc.lock, so nothing had been made there: choose a later revision"
        )
    return DarkroomError(f"the dvc.lock of {revision.name} has no {MANIFEST_FOLDER}: ingest had not been run there")


def _metrics(revision: Revision, remarks: list[str]) -> dict[str, float] | None:
    if not revision.has(METRICS):
        remarks.append(f"`{revision.name}` has no {METRICS}: evaluate has not been run there.")
        return None
    content = read_headline(revision.get(METRICS), REMEDY, f"{METRICS} of {revision.name}")
    measured_on = content.provenance["data_version"]
    present = "unknown"
    if revision.has(SPLITS):
        # The manifest is there already, in parts or in one file.
        present = data_version(revision.get(REJECTS).parent, revision.get(SPLITS))
    if measured_on != present:
        # Of other data: beside the scores of the other side they would say that nothing changed.
        remarks.append(
            f"The scores of `{revision.name}` are left out: they were measured on data version {measured_on}, and its data is "
            f"{present}; `dvc repro` measures them again."
        )
        return None
    return dict(content.test)
