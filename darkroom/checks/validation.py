"""From what ingest took in to groups, pages and results, while Great Expectations is loaded in its own process."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from darkroom.checks.change import Change, expectations_of_change, last_commit, last_committed, measure_change
from darkroom.checks.change_page import change_results, changes_page
from darkroom.checks.checker import Checker
from darkroom.checks.expectations import expectations_of
from darkroom.checks.facts import Facts, gather_facts, gather_incomplete_facts, missing_columns
from darkroom.checks.limits import Limits
from darkroom.checks.page import Contents, dataset_page
from darkroom.checks.suite import Check
from darkroom.checks.text import results, stop_if_broken, summary
from darkroom.duplicates.confirm import near_pairs
from darkroom.duplicates.descriptors import read_thumbnails
from darkroom.duplicates.groups import group_images, join_copies
from darkroom.images.manifest import read_manifest
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_folder, write_json

GROUPS = pa.schema([("id", pa.string()), ("group", pa.string())])


def validate(
    ingest: Path,
    limits: Limits,
    near_copies: bool,
    stop: tuple[str, ...],
    decoder: str,
    seen: Path,
    out: Path,
    reports: Path,
    changes: Path,
    checker: Checker,
) -> None:
    """Validate what ingest took in.

    Args:
        ingest: the folder that the ingest stage wrote.
        limits: what is allowed.
        near_copies: whether to look for other copies than equal files.
        stop: keys of the expectations that stop the line when they are broken; the others warn.
        decoder: that ingest used.
        seen: what ingest keeps for reuse.
        out: the folder for `groups.parquet`; absent afterwards when an expectation stops the line.
        reports: the folder for pages and results; written whole in either case.
        changes: the folder for what changed since the last commit of the repository in the current folder.
        checker: started; it is sent to once.

    Raises:
        DarkroomError: naming every expectation that stops the line, with what was found and what is allowed.
    """
    # Groups of an earlier, better data set must not be taken for those of this one.
    if out.exists():
        shutil.rmtree(out)
    classes = load_classes(ingest / "classes.json")
    manifest = read_manifest(ingest)
    if not len(manifest):
        raise DarkroomError(f"{ingest} has no image: run `dvc repro ingest` with images to take in")
    facts, groups = _gather(manifest, classes, ingest, near_copies, decoder, seen)
    change: Change | str = "the manifest is not whole"
    if groups is not None:
        before = last_committed(facts.images)
        change = before if isinstance(before, str) else measure_change(before, facts.images, last_commit())
    checks = expectations_of(facts, limits, stop)
    tables = {"images": facts.images, "classes": facts.classes, "overall": facts.overall}
    if isinstance(change, Change):
        checks, tables = checks + expectations_of_change(limits, stop), tables | {"change": change.table}
    checker.send(checks, tables | {"images": _with_values_for(checks, facts.images)})
    contents = Contents(facts, limits, ingest / "shards", decoder) if groups is not None else None
    validation = checker.receive()
    of_data = [outcome for outcome in validation.outcomes if outcome.check.table != "change"]
    of_change = [outcome for outcome in validation.outcomes if outcome.check.table == "change"]
    page = dataset_page(facts, of_data, contents, pq.read_table(ingest / "ignored.parquet").to_pandas())
    with whole_folder(reports) as folder:
        write_json(
            folder / "suite.json", {name: suite for name, suite in validation.suites.items() if name != "change"}
        )
        write_json(folder / "validation.json", results(facts, of_data))
        (folder / "great_expectations.html").write_text(validation.page, encoding="utf-8")
        (folder / "index.html").write_text(page, encoding="utf-8")
    with whole_folder(changes) as folder:
        write_json(folder / "changes.json", change_results(change, of_change))
        (folder / "index.html").write_text(changes_page(change, of_change), encoding="utf-8")
    print(summary(facts, validation.outcomes))
    print(f"  last commit     {_told(change)}")
    print(f"  page: {reports / 'index.html'}")
    stop_if_broken(validation.outcomes, reports / "index.html")
    with whole_folder(out) as folder:
        pq.write_table(groups, folder / "groups.parquet")


def _gather(
    manifest: pa.Table, classes: ClassList, ingest: Path, near_copies: bool, decoder: str, seen: Path
) -> tuple[Facts, pa.Table | None]:
    """The facts, and the table of groups; None where the manifest lacks values."""
    frame = manifest.to_pandas()
    rejects = pq.read_table(ingest / "rejects.parquet").to_pandas()
    # What a reviewer removed could be read.
    rejects = rejects[rejects["reviewer"].isna()]
    if missing_columns(frame):
        return gather_incomplete_facts(frame, rejects, classes), None
    pairs: npt.NDArray[np.int64] = np.empty((0, 2), np.int64)
    if near_copies:
        thumbnails = read_thumbnails(manifest, np.arange(len(manifest)), ingest, seen, decoder)
        width, height, contrast = (frame[name].to_numpy() for name in ("width", "height", "contrast"))
        # Its matrices are small, and Great Expectations' import has the other core: threads would only wait for each other.
        with threadpool_limits(1, "blas"):
            pairs = near_pairs(thumbnails, width, height, contrast)
    copies = join_copies(frame["sha256"], pairs)
    groups = group_images(frame, copies)
    return gather_facts(frame, rejects, classes, copies, groups["group"]), pa.Table.from_pandas(
        groups, GROUPS, preserve_index=False
    )


def _with_values_for(checks: list[Check], images: pd.DataFrame) -> pd.DataFrame:
    """All columns, but values only where a check asks for them: a third of the bytes to hand over, and half of the checking."""
    asked = {check.settings.get("column") for check in checks if check.table == "images"}
    return images.assign(**{name: False for name in images.columns if name not in asked})


def _told(change: Change | str) -> str:
    """In one line what changed since the last commit."""
    if isinstance(change, str):
        return f"not compared: {change}"
    told = []
    for key, shift in change.shifts.items():
        chance = " (within chance)" if shift.distance and not shift.significant_distance else ""
        told.append(f"{key.replace('_', ' ')} {shift.distance:.3f}{chance}")
    return ", ".join(told)
