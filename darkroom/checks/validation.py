"""From the ingested images to groups and results, while Great Expectations is loaded in its own process."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from darkroom.checks.change import (
    Change,
    change_measures,
    change_results,
    expectations_of_change,
    last_commit,
    last_committed,
    measure_change,
)
from darkroom.checks.checker import Checker
from darkroom.checks.expectations import expectations_of
from darkroom.checks.facts import Facts, gather_facts, gather_incomplete_facts, read_images
from darkroom.checks.suite import Check, Outcome
from darkroom.checks.validation_results import copies_table, examples_of, results_of, summary_of, summary_of_change
from darkroom.duplicates.confirm import NearCopies, find_near_copies
from darkroom.duplicates.descriptors import Thumbnails
from darkroom.duplicates.groups import group_images, join_copies
from darkroom.images.manifest import MANIFEST, manifest_ranges, read_manifest
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.columns import leading_bits
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.text import plural
from darkroom.settings.validate import Validate

GROUPS = pa.schema([("id", pa.string()), ("group", pa.string())])


def validate(
    *,
    ingest: Path,
    settings: Validate,
    max_reject_fraction: float,
    decoder: str,
    cache: Path,
    out: Path,
    reports: Path,
    changes: Path,
    checker: Checker,
) -> list[Outcome]:
    """Validate the ingested images; the arguments are those of `stages.validate.run`, and:

    Args:
        checker: started; checks are sent to it once.

    Returns:
        The outcome of each expectation; with one that stops the line, no groups are written.
    """
    # Groups of an earlier, better data set must not be mistaken for those of this one.
    if out.exists():
        shutil.rmtree(out)
    classes = load_classes(ingest / "classes.json")
    if not manifest_ranges(ingest):
        raise DarkroomError(f"{ingest} has no image: run `dvc repro ingest` with a source that has images")
    facts, groups = _gather(classes, ingest, settings.near_copies, decoder, cache)
    change: Change | str = "the manifest lacks values"
    if groups is not None:
        before = last_committed(facts.images)
        change = before if isinstance(before, str) else measure_change(before, facts.images, last_commit())
    checks = expectations_of(facts, settings, max_reject_fraction)
    tables = {"images": facts.images, "classes": facts.classes, "overall": facts.overall}
    if isinstance(change, Change):
        checks, tables = checks + expectations_of_change(settings), tables | {"change": change.table}
    checker.send(checks, tables | {"images": _rows_to_check(checks, facts)})
    validation = checker.receive()
    of_data = [outcome for outcome in validation.outcomes if outcome.check.table != "change"]
    of_change = [outcome for outcome in validation.outcomes if outcome.check.table == "change"]
    suites = {name: suite for name, suite in validation.suites.items() if name != "change"}
    with whole_files(reports) as folder:
        write_json(folder / "suite.json", suites)
        write_json(folder / "validation.json", results_of(facts, of_data))
        write_json(folder / "great_expectations.json", validation.documentation)
        pq.write_table(copies_table(facts), folder / "copies.parquet")
    with whole_files(changes) as folder:
        write_json(folder / "changes.json", change_results(change, of_change))
        pq.write_table(change_measures(change), folder / "measures.parquet")
    print(summary_of(facts, of_data))
    print(summary_of_change(change, of_change))
    if not any(outcome.stops_the_line for outcome in validation.outcomes):
        with whole_folder(out) as folder:
            _write_groups(groups, ingest, folder / "groups.parquet")
    return validation.outcomes


def _gather(
    classes: ClassList, ingest: Path, near_copies: bool | str, decoder: str, cache: Path
) -> tuple[Facts, pa.Table | None]:
    """The facts, and the table of groups; None where the manifest lacks values."""
    frame, missing = read_images(ingest)
    rejects = read_input_table(ingest / "rejects.parquet").to_pandas()
    # What a reviewer removed could be read.
    rejects = rejects[rejects["reviewer"].isna()]
    if missing:
        return gather_incomplete_facts(read_manifest(ingest).to_pandas(), rejects, classes), None
    near = NearCopies(np.empty((0, 2), np.int64))
    if near_copies:
        thumbnails = Thumbnails(ingest, cache, decoder)
        width, height, contrast = (frame[name].to_numpy() for name in ("width", "height", "contrast"))
        ids = leading_bits(pa.array(frame["id"]))
        # Its matrices are small, and Great Expectations' import has the other core: threads would only wait for each other.
        with threadpool_limits(1, "blas"):
            near = find_near_copies(
                thumbnails.read,
                ids,
                width,
                height,
                contrast,
                cache / "near_copies",
                thumbnails.identity,
                always=near_copies is True,
            )
    copies = join_copies(frame["sha256"], near.pairs)
    groups = group_images(frame, copies)
    facts = gather_facts(frame, rejects, classes, copies, groups["group"], near)
    return facts, pa.Table.from_pandas(groups, GROUPS, preserve_index=False)


def _rows_to_check(checks: list[Check], facts: Facts) -> pd.DataFrame:
    """What Great Expectations is given of the images: all columns, with values only where a check needs them.

    Where the manifest is as it must be, checks look at the least and the most of a column: rows that have these are enough.
    """
    needed = list(dict.fromkeys(check.settings["column"] for check in checks if "column" in check.settings))
    needed = [name for name in needed if name in facts.images]
    images = facts.images[needed]
    if not any(check.broken_by for check in checks if check.key == "manifest"):
        values = [images[name].to_numpy() for name in needed if name not in ("id", "label")]
        images = images.iloc[sorted({int(row) for each in values for row in (each.argmin(), each.argmax())})]
    others = [name for name in (*MANIFEST.names, *facts.images.columns) if name not in needed]
    others = [name for name in others if name not in facts.missing_columns]
    return images.assign(**dict.fromkeys(others, False))


def _write_groups(groups: pa.Table, ingest: Path, path: Path) -> None:
    """Write the groups, with a row group for each range of the manifest, so that they are read by range."""
    with pq.ParquetWriter(path, groups.schema) as writer:
        start = 0
        for each in manifest_ranges(ingest):
            writer.write_table(groups.slice(start, each.images))
            start += each.images


def stop_if_broken(outcomes: list[Outcome], page: Path, page_of_change: Path) -> None:
    """Stop the line where an expectation is broken that must be met.

    Args:
        outcomes: of all expectations.
        page: has those of the data.
        page_of_change: has those of the shift since the last commit.

    Raises:
        DarkroomError: with every such expectation, what was found, what is allowed, what to do, and the page that shows it.
    """
    broken = [outcome for outcome in outcomes if outcome.stops_the_line]
    if not broken:
        return
    lines = []
    for outcome in broken:
        if outcome.status == "errored":
            lines.append(f"\n  - {outcome.check.name}: could not be checked: {outcome.error}")
        else:
            lines.append(
                f"\n  - {outcome.check.name}: {outcome.text}{examples_of(outcome)}\n    {outcome.check.remedy}"
            )
    pages = {str(page_of_change if outcome.check.table == "change" else page): None for outcome in broken}
    are = plural(len(broken), "expectation of the data is", "expectations of the data are")
    raise DarkroomError(
        f"{len(broken)} {are} not met, so the line stops here:{''.join(lines)}\nthe results, with pictures: {', '.join(pages)}"
    )
