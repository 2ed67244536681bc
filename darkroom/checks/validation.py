"""From the ingested images to groups and results, while Great Expectations is loaded in its own process."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from darkroom.checks.change import Change, change_measures, change_results, measure_change
from darkroom.checks.checked_tables import tables_to_check
from darkroom.checks.checker import Checker
from darkroom.checks.expectations import expectations_of, expectations_of_change
from darkroom.checks.facts import gather_incomplete_facts
from darkroom.checks.facts_of_copies import gather_with_copies
from darkroom.checks.group_table import write_groups
from darkroom.checks.last_commit import last_commit, last_committed, side_of
from darkroom.checks.suite import Outcome
from darkroom.checks.summaries import summaries_of
from darkroom.checks.validation_results import examples_of, results_of, summary_of, summary_of_change
from darkroom.duplicates.groups import Groups
from darkroom.images.manifest import manifest_ranges
from darkroom.model.classes import load_classes
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.inputs import read_input_table
from darkroom.runtime.text import plural
from darkroom.settings.validate import Validate


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
    summaries = summaries_of(ingest, cache)
    rejects = read_input_table(ingest / "rejects.parquet", ["path", "reviewer"])
    # What a reviewer removed could be read.
    rejected = rejects["path"].filter(rejects["reviewer"].is_null()).to_pylist()
    groups: Groups | None = None
    change: Change | str = "the manifest lacks values"
    if summaries.gaps:
        facts = gather_incomplete_facts(ingest, summaries.gaps, rejected, classes)
    else:
        facts, groups = gather_with_copies(summaries, classes, rejected, ingest, settings.near_copies, decoder, cache)
        before = last_committed(summaries)
        change = before if isinstance(before, str) else measure_change(before, side_of(summaries), last_commit())
    summaries.forget_others()
    checks = expectations_of(facts, settings, max_reject_fraction)
    tables = tables_to_check(checks, facts, ingest)
    if isinstance(change, Change):
        checks = checks + expectations_of_change(settings)
        tables |= {"change": {name: [value] for name, value in change.distances.items()}}
    checker.send(checks, tables)
    validation = checker.receive()
    of_data = [outcome for outcome in validation.outcomes if outcome.check.table != "change"]
    of_change = [outcome for outcome in validation.outcomes if outcome.check.table == "change"]
    suites = {name: suite for name, suite in validation.suites.items() if name != "change"}
    with whole_files(reports) as folder:
        write_json(folder / "suite.json", suites)
        write_json(folder / "validation.json", results_of(facts, of_data))
        write_json(folder / "great_expectations.json", validation.documentation)
        pq.write_table(facts.copies.table, folder / "copies.parquet")
    with whole_files(changes) as folder:
        write_json(folder / "changes.json", change_results(change, of_change))
        pq.write_table(change_measures(change), folder / "measures.parquet")
    print(summary_of(facts, of_data))
    print(summary_of_change(change, of_change))
    if groups is not None and not any(outcome.stops_the_line for outcome in validation.outcomes):
        with whole_folder(out) as folder:
            write_groups(groups, summaries, folder / "groups.parquet")
    return validation.outcomes


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
