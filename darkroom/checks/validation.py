"""From the ingested images to groups and results, while Great Expectations is loaded in its own process."""

import shutil
from collections import Counter
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
    describe_change,
    expectations_of_change,
    last_commit,
    last_committed,
    measure_change,
)
from darkroom.checks.checker import Checker
from darkroom.checks.expectations import expectations_of
from darkroom.checks.facts import Facts, gather_facts, gather_incomplete_facts, read_images
from darkroom.checks.suite import Check, Outcome
from darkroom.duplicates.confirm import NearCopies, find_near_copies
from darkroom.duplicates.descriptors import Thumbnails
from darkroom.duplicates.groups import group_images, join_copies
from darkroom.images.manifest import MANIFEST, manifest_ranges, read_manifest
from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.columns import leading_bits
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.text import count, one_a_line, plural
from darkroom.settings.validate import Validate

GROUPS = pa.schema([("id", pa.string()), ("group", pa.string())])
COPIES = pa.schema([("set", pa.int64()), ("path", pa.string()), ("label", pa.string()), ("exact", pa.bool_())])
# Conflicts listed on the terminal; `validation.json` has all.
LISTED = 10


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
        write_json(folder / "validation.json", _results(facts, of_data))
        write_json(folder / "great_expectations.json", validation.documentation)
        pq.write_table(_copies_table(facts), folder / "copies.parquet")
    with whole_files(changes) as folder:
        write_json(folder / "changes.json", change_results(change, of_change))
        pq.write_table(change_measures(change), folder / "measures.parquet")
    print(_summary(facts, of_data))
    print(_summary_of_change(change, of_change))
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


def _results(facts: Facts, outcomes: list[Outcome]) -> dict[str, object]:
    """The content of `validation.json`, which has every conflict."""
    return {
        "stops_the_line": any(outcome.stops_the_line for outcome in outcomes),
        "images": len(facts.images),
        "rejects": len(facts.rejects),
        "classes": facts.classes.to_dict("records"),
        "expectations": [outcome.to_dict() for outcome in outcomes],
        "copies": {
            "groups": len(facts.copies),
            "extra_images": facts.extra_copies,
            "near": sum(not copies.exact for copies in facts.copies),
            "largest_group": facts.largest_group,
        },
        "conflicts": [
            {"paths": list(copies.paths), "labels": list(copies.labels), "exact": copies.exact}
            for copies in facts.conflicts
        ],
        "notes": facts.notes,
    }


def _copies_table(facts: Facts) -> pa.Table:
    """The sets of copies, for the page: a row for each image of each."""
    rows = [
        (number, path, label, copies.exact)
        for number, copies in enumerate(facts.copies)
        for path, label in zip(copies.paths, copies.labels, strict=True)
    ]
    return pa.Table.from_pylist([dict(zip(COPIES.names, row, strict=True)) for row in rows], COPIES)


def _summary(facts: Facts, outcomes: list[Outcome]) -> str:
    """A few aligned lines for the terminal."""
    rows = [
        ("expectations", _count_results(outcomes)),
        ("rejected files", f"{len(facts.rejects):,} of {len(facts.images) + len(facts.rejects):,}"),
    ]
    if not facts.missing_columns:
        near = sum(not copies.exact for copies in facts.copies)
        pictures = count(len(facts.copies), "picture")
        copies = f"{facts.extra_copies:,} beyond the first of {pictures}, {near:,} of them near-copies"
        if near:
            copies += " (validate.near_copies: auto, true, or false for equal files alone)"
        rows += [
            ("copies", copies if facts.copies else "none"),
            ("largest group", f"{count(facts.largest_group, 'image')}, all in one split"),
            ("conflicts", f"{len(facts.conflicts):,} under more than one label" if facts.conflicts else "none"),
        ]
    lines = [f"validate: {count(len(facts.images), 'image')}, {count(len(facts.classes), 'class', 'classes')}"]
    lines += [f"  {name:<14}  {text}" for name, text in rows]
    lines += [f"    warning: {copies.text}" for copies in facts.conflicts[:LISTED]]
    if len(facts.conflicts) > LISTED:
        lines.append(f"    … and {len(facts.conflicts) - LISTED:,} more in validation.json")
    lines += _warnings([outcome for outcome in outcomes if outcome.check.key != "conflicts"])
    lines += [f"  note: {text}" for text in facts.notes.values()]
    return one_a_line(lines)


def _summary_of_change(change: Change | str, outcomes: list[Outcome]) -> str:
    """The same for the shift since the last commit, whose expectations are counted on a page of their own."""
    counted = f": {_count_results(outcomes)}" if outcomes else ""
    return one_a_line([f"  last commit     {describe_change(change)}{counted}", *_warnings(outcomes)])


def _count_results(outcomes: list[Outcome]) -> str:
    """`12 met, 2 warnings`."""
    results = Counter(outcome.result for outcome in outcomes)
    return ", ".join(
        f"{number} {result}{'s' * (result == 'warning' and number > 1)}" for result, number in results.items()
    )


def _warnings(outcomes: list[Outcome]) -> list[str]:
    return [
        f"  warning: {outcome.check.name}: {outcome.text}{_examples(outcome)}"
        for outcome in outcomes
        if outcome.result == "warning"
    ]


def _examples(outcome: Outcome) -> str:
    return f" ({'; '.join(outcome.examples)})" if outcome.examples else ""


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
            lines.append(f"\n  - {outcome.check.name}: {outcome.text}{_examples(outcome)}\n    {outcome.check.remedy}")
    pages = {str(page_of_change if outcome.check.table == "change" else page): None for outcome in broken}
    are = plural(len(broken), "expectation of the data is", "expectations of the data are")
    raise DarkroomError(
        f"{len(broken)} {are} not met, so the line stops here:{''.join(lines)}\nthe results, with pictures: {', '.join(pages)}"
    )
